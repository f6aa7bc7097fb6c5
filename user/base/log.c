/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

#define MESSAGE_MAX 2048

static enum log_level max_level = LOG_WARN;

void log__set_level(enum log_level level)
{
	max_level = level;
}

int log__enabled(enum log_level level)
{
	return level <= max_level;
}

/* Messages quote names that traced programs chose: nothing that steers a terminal gets through. */
static void blank_controls(char *dst, const char *text, size_t len)
{
	unsigned int codepoint;
	size_t n, out = 0;

	for (size_t i = 0; i < len; i += n) {
		n = utf8__decode(text + i, len - i, &codepoint);
		if (utf8__is_control(codepoint))
			dst[out++] = '?';
		else
			for (size_t k = 0; k < n; k++)
				dst[out++] = text[i + k];
	}
	dst[out] = '\0';
}

void log__print(enum log_level level, const char *fmt, ...)
{
	char raw[MESSAGE_MAX], text[MESSAGE_MAX], line[MESSAGE_MAX];
	va_list args;
	size_t len;
	int n;

	if (level > max_level)
		return;
	va_start(args, fmt);
	n = vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	if (n < 0)
		return;
	len = (size_t)n < sizeof(raw) ? (size_t)n : sizeof(raw) - 1;
	len = utf8__sanitize(text, sizeof(text), raw, len);
	blank_controls(line, text, len);
	fprintf(stderr, "cowtrace: %s\n", line);
}
