/* SPDX-License-Identifier: MIT */
#include "sink/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

void text__style(const struct text *t, enum text_style style)
{
	static const char *const codes[] = {
		[TEXT_PLAIN] = "\033[0m",
		[TEXT_HEAD] = "\033[1m",
		[TEXT_DIM] = "\033[2m",
		[TEXT_WARN] = "\033[1;31m",
	};

	if (t->color)
		fputs(codes[style], t->out);
}

void text__title(const struct text *t, enum text_style style, const char *title)
{
	text__style(t, style);
	fputs(title, t->out);
	text__style(t, TEXT_PLAIN);
}

static void pad(const struct text *t, size_t n)
{
	fprintf(t->out, "%*s", (int)n, "");
}

void text__left(const struct text *t, const char *s, size_t width, enum escape_cut cut)
{
	_free_ char *cell = escape__fit(s, width, cut);

	if (!cell)
		return;
	fputs(cell, t->out);
	pad(t, width - escape__width(cell));
}

void text__right(const struct text *t, const char *s, size_t width)
{
	_free_ char *cell = escape__fit(s, width, ESCAPE_CUT_END);

	if (!cell)
		return;
	pad(t, width - escape__width(cell));
	fputs(cell, t->out);
}

void text__last(const struct text *t, const char *s, size_t width)
{
	_free_ char *cell = escape__fit(s, width, ESCAPE_CUT_END);

	if (cell)
		fputs(cell, t->out);
	text__style(t, TEXT_PLAIN);
	fputc('\n', t->out);
}

/* Bytes of the next word. What stands in `backticks` is to be typed, so it stays on one line. */
static size_t word_length(const char *s)
{
	bool code = false;
	size_t i;

	for (i = 0; s[i] && (code || s[i] != ' '); i++)
		if (s[i] == '`')
			code = !code;
	return code ? strcspn(s, " ") : i;
}

static size_t byte_of_character(const char *s, size_t n)
{
	size_t i = 0;

	while (s[i] && (((unsigned char)s[i] & 0xc0) == 0x80 || n-- > 0))
		i++;
	return i;
}

/* Writes text from column indent on; a word longer than a line is broken where the line ends. */
static void wrap(const struct text *t, const char *s, size_t indent)
{
	size_t column = indent;

	while (*(s += strspn(s, " "))) {
		size_t bytes = word_length(s);
		_free_ char *word = strndup(s, bytes);
		size_t width = word ? escape__width(word) : 0;

		if (column > indent && column + 1 + width > TEXT_WIDTH) {
			fputc('\n', t->out);
			pad(t, column = indent);
		} else if (column > indent) {
			fputc(' ', t->out);
			column++;
		}
		if (width > TEXT_WIDTH - column) {
			width = TEXT_WIDTH - column;
			bytes = byte_of_character(s, width);
		}
		fwrite(s, 1, bytes, t->out);
		column += width;
		s += bytes;
	}
	fputc('\n', t->out);
}

void text__paragraph(const struct text *t, const char *lead, const char *fmt, ...)
{
	_free_ char *raw = NULL, *shown = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&raw, fmt, args) < 0)
		raw = NULL;
	va_end(args);
	shown = escape__dup(raw);
	if (!shown)
		return;
	fputs(lead, t->out);
	wrap(t, shown, escape__width(lead));
}
