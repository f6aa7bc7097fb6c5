/* SPDX-License-Identifier: MIT */
/* Text in SVG: escaped, and cut to what fits. */
#ifndef COWTRACE_SINK_SVG_H
#define COWTRACE_SINK_SVG_H

#include <stddef.h>
#include <stdio.h>

/* s as XML character data, also good in an attribute; what XML does not allow is replaced. */
void svg__text(FILE *out, const char *s);
/* The same, cut in its middle to at most chars characters. */
void svg__text_cut(FILE *out, const char *s, size_t chars);
/* The same, cut at its end to columns of a monospaced font, in which some characters need two. */
void svg__text_fit(FILE *out, const char *s, size_t columns);

#endif
