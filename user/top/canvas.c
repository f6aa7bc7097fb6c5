/* SPDX-License-Identifier: MIT */
#include "top/canvas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "sink/escape.h"

#define ELLIPSIS 0x2026

static int clamp(int n)
{
	return n < 1 ? 1 : n > CANVAS_MAX ? CANVAS_MAX : n;
}

int canvas__resize(struct canvas *c, int width, int height)
{
	struct cell *cells;

	width = clamp(width);
	height = clamp(height);
	cells = calloc((size_t)width * (size_t)height, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	free(c->cells);
	*c = (struct canvas){.width = width, .height = height, .cells = cells};
	canvas__clear(c);
	return 0;
}

void canvas__free(struct canvas *c)
{
	free(c->cells);
	*c = (struct canvas){};
}

void canvas__clear(struct canvas *c)
{
	for (int i = 0; i < c->width * c->height; i++)
		c->cells[i] = (struct cell){' ', STYLE_PLAIN};
}

/* --- text -------------------------------------------------------------------- */

/* The next character that has a place of its own; those that would change the one before it are
 * left out. Returns its columns; 0: the end. */
static int next_character(const char **text, unsigned int *character)
{
	while (**text) {
		int width;

		*text += utf8__decode(*text, strlen(*text), character);
		width = wcwidth((wchar_t)*character);
		if (width < 0) /* not in this locale */
			*character = '?';
		if (width)
			return width < 0 ? 1 : width;
	}
	return 0;
}

static int escaped_width(const char *text)
{
	unsigned int character;
	int width = 0, n;

	while ((n = next_character(&text, &character)))
		width += n;
	return width;
}

int canvas__width(const char *text)
{
	_free_ char *escaped = escape__dup(text);

	return escaped ? escaped_width(escaped) : 0;
}

static struct cell *cell_at(struct canvas *c, int x, int y)
{
	return &c->cells[y * c->width + x];
}

/* What fits between x and end; one column is kept for the mark if more follows. */
static int put(struct canvas *c, int x, int y, int end, enum style style, const char *text)
{
	int begin = x, room = end - x, width = escaped_width(text), n;
	unsigned int character;

	if (width > room)
		end--;
	while ((n = next_character(&text, &character)) && x + n <= end) {
		*cell_at(c, x, y) = (struct cell){character, style};
		if (n == 2)
			*cell_at(c, x + 1, y) = (struct cell){0, style};
		x += n;
	}
	if (width > room)
		*cell_at(c, x++, y) = (struct cell){ELLIPSIS, style};
	return x - begin;
}

int canvas__text(struct canvas *c, int x, int y, int width, enum style style, const char *text)
{
	_free_ char *escaped = escape__dup(text);
	int end = x + width < c->width ? x + width : c->width;

	if (!escaped || x < 0 || y < 0 || y >= c->height || x >= end)
		return 0;
	return put(c, x, y, end, style, escaped);
}

void canvas__right(struct canvas *c, int x, int y, int width, enum style style, const char *text)
{
	int need = canvas__width(text);
	int gap = need < width ? width - need : 0;

	canvas__text(c, x + gap, y, width - gap, style, text);
}

void canvas__paint(struct canvas *c, int x, int y, int width, enum style style)
{
	if (x < 0 || y < 0 || y >= c->height)
		return;
	for (int i = x; i < x + width && i < c->width; i++)
		cell_at(c, i, y)->style = style;
}
