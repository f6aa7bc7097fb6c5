/* SPDX-License-Identifier: MIT */
/* Foreign text to text that can be shown: nothing in it moves a cursor, hides or reorders others.
 */
#ifndef COWTRACE_SINK_ESCAPE_H
#define COWTRACE_SINK_ESCAPE_H

#include <stddef.h>

/*
 * A copy of s, allocated, in which every control character (utf8__is_control) is written as \xNN or
 * \u{NNNN} and every invalid byte as U+FFFD. NULL if out of memory; "" for NULL.
 */
char *escape__dup(const char *s);

/* The same, and each character of replace becomes with. For formats with a separator of their own.
 */
char *escape__dup_replace(const char *s, const char *replace, char with);

/* Length in characters. */
size_t escape__width(const char *s);

enum escape_cut {
	ESCAPE_CUT_END,
	ESCAPE_CUT_MIDDLE,
	ESCAPE_CUT_START,
};

/* escape__dup, shortened to width characters (at least 1) with … where something is missing. */
char *escape__fit(const char *s, size_t width, enum escape_cut where);

#endif
