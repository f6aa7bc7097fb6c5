/* SPDX-License-Identifier: MIT */
/* The parts of the text report. Private to sink/text*.c. */
#ifndef COWTRACE_SINK_TEXT_H
#define COWTRACE_SINK_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "model/snapshot.h"
#include "sink/escape.h"
#include "sink/words.h"

#define TEXT_WIDTH 100

struct text {
	FILE *out;
	const struct snapshot *snap;
	unsigned int top; /* rows per table */
	bool top_wanted;  /* by the user: then show so many, however small */
	bool color;
};

enum text_style {
	TEXT_PLAIN,
	TEXT_HEAD,
	TEXT_DIM,
	TEXT_WARN,
};

/* --- text_page.c: laying out
 * ---------------------------------------------------------------------- */

/* A title in the first column. */
void text__title(const struct text *t, enum text_style style, const char *title);
/* Escaped, wrapped; the first line begins with lead, the others are indented as far. */
__attribute__((format(printf, 3, 4))) void text__paragraph(const struct text *t, const char *lead,
							   const char *fmt, ...);
/* Escaped, cut and padded to width characters: a cell at the left of its column. */
void text__left(const struct text *t, const char *s, size_t width, enum escape_cut cut);
/* The same at the right. */
void text__right(const struct text *t, const char *s, size_t width);
/* The last cell of a line: not padded; ends the line and the style. */
void text__last(const struct text *t, const char *s, size_t width);
void text__style(const struct text *t, enum text_style style);

/* --- text_words.c: what things mean
 * --------------------------------------------------------------- */

/* A sentence about how this kind of write comes about. */
const char *text__cause_sentence(const char *cause);
/* True if details, not types of objects, tell the copies of this cause apart. */
bool text__cause_by_detail(const char *cause);
/* A detail in words; itself if there are none. */
const char *text__detail(const char *cause, const char *detail);
bool text__is_known_sharer(const struct snapshot_process *process);
bool text__runs_python(const struct snapshot_process *process);

/* --- text_kinds.c
 * --------------------------------------------------------------------------------- */

/* Sentences about the pages: who shared them, where they came from, how large they were. */
void text__kinds(const struct text *t);
/* Only how large they were, if some were huge. */
void text__sizes(const struct text *t);

/* --- text_tables.c
 * -------------------------------------------------------------------------------- */

void text__why(const struct text *t);
void text__where(const struct text *t);
/* "file:line in function()" in width characters, allocated; file NULL: a native function. */
char *text__place(const char *file, uint32_t line, const char *function, size_t width);
/* A line of its own that quotes a line of Python; NULL: none. lead: "", or it ends in ": ". */
void text__source(const struct text *t, const char *lead, const char *source);

/* --- text_changed.c
 * ------------------------------------------------------------------------------- */

/* The comparison with an older run. */
void text__changed(const struct text *t);

/* --- text_who.c
 * ----------------------------------------------------------------------------------- */

void text__who(const struct text *t);

/* --- text_notes.c
 * --------------------------------------------------------------------------------- */

/* What the reader must know before he trusts a number: losses, Pythons that are not understood. */
void text__warnings(const struct text *t);
/* How much of it is proven, what was not seen. */
void text__how_sure(const struct text *t);
/* What was not seen, alone. */
void text__unseen(const struct text *t, const char *lead);

#endif
