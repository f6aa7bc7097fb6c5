/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

#define MESSAGE_MAX 2048

static enum log_level max_level = LOG_WARN;
static log_taker taker;
static void *taker_ctx;
static int status_shown, status_unwanted;

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
	if (taker) {
		taker(taker_ctx, level, line);
		return;
	}
	log__status(NULL);
	fprintf(stderr, "cowtrace: %s\n", line);
}

void log__redirect(log_taker take, void *ctx)
{
	taker = take;
	taker_ctx = ctx;
}

/* --- the status line --------------------------------------------------------- */

int log__has_status(void)
{
	return !status_unwanted && isatty(STDERR_FILENO) && tcgetpgrp(STDERR_FILENO) == getpgrp();
}

void log__no_status(void)
{
	status_unwanted = 1;
}

/* So that it takes one line: else the next one could not replace it. */
static size_t cut_at(const char *line, size_t columns)
{
	unsigned int codepoint;
	size_t n = 0;

	while (line[n] && columns--)
		n += utf8__decode(line + n, strlen(line + n), &codepoint);
	return n;
}

static size_t terminal_columns(void)
{
	struct winsize size;

	/* The last column stays free: some terminals would begin a new line. */
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 2 ? 79 : size.ws_col - 1u;
}

void log__status(const char *line)
{
	char text[MESSAGE_MAX], clean[MESSAGE_MAX];
	size_t len;

	if (status_shown) /* "erase to the end of the line": ECMA-48, all terminals since 1979 */
		fputs("\r\033[K", stderr);
	status_shown = 0;
	if (!line || taker || !log__has_status())
		return;
	len = utf8__sanitize(text, sizeof(text), line, strlen(line));
	blank_controls(clean, text, len);
	len = cut_at(clean, terminal_columns());
	fprintf(stderr, "%.*s", (int)len, clean);
	status_shown = 1;
}
