/* SPDX-License-Identifier: MIT */
/* The parts of the HTML report. Private to sink/html*.c. */
#ifndef COWTRACE_SINK_HTML_H
#define COWTRACE_SINK_HTML_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct snapshot;
struct snapshot_map;

/* The beginning of a part of the page, up to its introduction: words, which are HTML. */
void html__section(FILE *out, const char *id, const char *title, const char *words);

/* What changed since an older run, with a flame graph of at most so many frames. 0, -ENOMEM. */
int html__changed(const struct snapshot *snap, size_t frames, FILE *out);

/* What html.js reads, as JSON that may stand in a script element. 0, -ENOMEM. */
int html__data(const struct snapshot *snap, FILE *out);

/*
 * The copied pages in base64: runs of pages with the same cause, each as three varints (7 bits a
 * byte, least first): pages since the last run, pages in the run, cause | log2 of the copies of
 * each << 4 | index of the mapping's name << 8. unit: so many pages are taken as one, because there
 * are too many for a page that is to open at once. Allocated; NULL: out of memory.
 */
char *html__map(const struct snapshot_map *map, unsigned int *unit);

#endif
