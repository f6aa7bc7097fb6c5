/* SPDX-License-Identifier: MIT */
#include "sink/svg.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "sink/escape.h"

#define FIRST_WIDE 0x1100 /* Hangul; from here on scripts may be wide, and are taken to be */
#define ELLIPSIS   "\xe2\x80\xa6"

/* XML 1.0, 2.2: these two are no characters; the controls have been escaped already. */
static int is_forbidden(unsigned int codepoint)
{
	return codepoint == 0xfffe || codepoint == 0xffff;
}

static void put(FILE *out, const char *s, size_t len)
{
	unsigned int codepoint;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = utf8__decode(s + i, len - i, &codepoint);
		switch (codepoint) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			if (is_forbidden(codepoint))
				fputs("\xef\xbf\xbd", out);
			else
				fwrite(s + i, 1, n, out);
		}
	}
}

void svg__text(FILE *out, const char *s)
{
	_free_ char *shown = escape__dup(s);

	if (shown)
		put(out, shown, strlen(shown));
}

void svg__text_cut(FILE *out, const char *s, size_t chars)
{
	_free_ char *shown = escape__fit(s, chars, ESCAPE_CUT_MIDDLE);

	if (shown)
		put(out, shown, strlen(shown));
}

void svg__text_fit(FILE *out, const char *s, size_t columns)
{
	_free_ char *shown = escape__dup(s);
	size_t len = shown ? strlen(shown) : 0, cut = 0, used = 0, n, i;
	unsigned int codepoint;

	for (i = 0; i < len && used <= columns; i += n) {
		n = utf8__decode(shown + i, len - i, &codepoint);
		used += codepoint < FIRST_WIDE ? 1 : 2;
		if (used < columns)
			cut = i + n;
	}
	if (used <= columns) {
		put(out, shown, len);
	} else if (columns) {
		put(out, shown, cut);
		fputs(ELLIPSIS, out);
	}
}
