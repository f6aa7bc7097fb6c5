/* SPDX-License-Identifier: MIT */
/*
 * A screen in memory: what is to be seen, before there is a terminal. A grid of cells; text is
 * escaped and cut to its place. Widths of characters are those of the locale (LC_CTYPE).
 */
#ifndef COWTRACE_TOP_CANVAS_H
#define COWTRACE_TOP_CANVAS_H

#include <stddef.h>
#include <stdint.h>

enum style {
	STYLE_PLAIN,
	STYLE_HEAD,	/* headings of columns */
	STYLE_FOCUS,	/* the headings of the table that keys act on */
	STYLE_SELECTED, /* the row that is marked */
	STYLE_DIM,
	STYLE_STRONG,
	STYLE_WARN,
	STYLES,
};

struct cell {
	uint32_t character; /* 0: the right half of the one before */
	uint8_t style;
};

struct canvas {
	int width, height;
	struct cell *cells; /* line by line */
};

/* Larger ones are cut: no terminal is. */
#define CANVAS_MAX 2000

/* 0 or -ENOMEM, which leaves it as it was. All cells are blank. */
int canvas__resize(struct canvas *c, int width, int height);
void canvas__free(struct canvas *c);
void canvas__clear(struct canvas *c);

/*
 * Writes text (any) from column x on, over at most width columns; what does not fit ends with "…".
 * Returns how many columns it takes. Outside of the canvas nothing is written.
 */
int canvas__text(struct canvas *c, int x, int y, int width, enum style style, const char *text);
/* At the right end of width columns; one that is too long is cut like others. */
void canvas__right(struct canvas *c, int x, int y, int width, enum style style, const char *text);
/* Gives all cells of a line from x on a style. */
void canvas__paint(struct canvas *c, int x, int y, int width, enum style style);
/* The columns that text takes when it is escaped. */
int canvas__width(const char *text);

#endif
