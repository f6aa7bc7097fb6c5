/* SPDX-License-Identifier: MIT */
#include "sink/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* The longest result of one byte: \u{10ffff} needs more characters, but also four bytes of input;
 * an invalid byte becomes three, a C0 control four. */
#define MAX_GROWTH 5

static size_t escape_one(char *dst, unsigned int codepoint)
{
	if (!utf8__is_control(codepoint))
		return utf8__encode(dst, codepoint);
	if (codepoint < 0x80)
		return (size_t)sprintf(dst, "\\x%02x", codepoint);
	return (size_t)sprintf(dst, "\\u{%04x}", codepoint);
}

char *escape__dup_replace(const char *s, const char *replace, char with)
{
	size_t len = s ? strlen(s) : 0;
	char *out = malloc(len * MAX_GROWTH + 1), *to = out;
	unsigned int codepoint;

	if (!out)
		return NULL;
	for (size_t i = 0; i < len;) {
		i += utf8__decode(s + i, len - i, &codepoint);
		if (codepoint < 0x80 && strchr(replace, (int)codepoint))
			*to++ = with;
		else
			to += escape_one(to, codepoint);
	}
	*to = '\0';
	return out;
}

char *escape__dup(const char *s)
{
	return escape__dup_replace(s, "", 0);
}

size_t escape__width(const char *s)
{
	size_t width = 0;

	for (; *s; s++)
		width += ((unsigned char)*s & 0xc0) != 0x80;
	return width;
}

/* The byte at which the n-th character begins. */
static size_t offset_of(const char *s, size_t n)
{
	const char *p = s;

	for (; *p; p++)
		if (((unsigned char)*p & 0xc0) != 0x80 && n-- == 0)
			break;
	return (size_t)(p - s);
}

char *escape__fit(const char *s, size_t width, enum escape_cut where)
{
	_free_ char *full = escape__dup(s);
	size_t all = full ? escape__width(full) : 0, head, tail;
	char *out;

	if (all <= width || !width)
		return TAKE_PTR(full);
	tail = where == ESCAPE_CUT_START ? width - 1 : where == ESCAPE_CUT_MIDDLE ? width / 2 : 0;
	head = width - 1 - tail;
	if (asprintf(&out, "%.*s\xe2\x80\xa6%s", (int)offset_of(full, head), full,
		     full + offset_of(full, all - tail)) < 0)
		return NULL;
	return out;
}
