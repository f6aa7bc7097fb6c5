/* SPDX-License-Identifier: MIT */
/* The parts of the flame graph. Private to sink/flamegraph*.c. */
#ifndef COWTRACE_SINK_FLAMEGRAPH_H
#define COWTRACE_SINK_FLAMEGRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/cause.h"

struct flame;
struct flame_node;
struct snapshot;

/* The picture as it is without script; flamegraph.js lays it out anew for the window it is in. */
#define GRAPH_WIDTH  1200
#define GRAPH_MARGIN 12
#define ROW_HEIGHT   19

#define LINE_HEIGHT 18
#define LINE_CHARS  150 /* of 13 px: more would run out of the picture */

/* A picture while it is written. */
struct graph {
	const struct snapshot *snap;
	const struct flame *flame;
	bool changed;		      /* it is one of the comparison of snap */
	uint64_t by_cause[CAUSE_MAX]; /* bytes */
	FILE *out;
	unsigned int y; /* of the next line */
};

/* The whole picture, with at most about so many frames; it may stand in a page of HTML. changed: of
 * the comparison of snap. */
int flamegraph__put(const struct snapshot *snap, bool changed, size_t frames, FILE *out);

/* A class of flamegraph.css. */
const char *flamegraph__cause_class(const char *cause);
/* One frame. */
void flamegraph__frame(const struct graph *g, const struct flame_node *node);

/* A line of text: what is written in between is XML. class: "" or " class". */
void flamegraph__open_line(struct graph *g, const char *class);
void flamegraph__close_line(struct graph *g);
/* Where the items of a legend come, and how many there were. */
void flamegraph__open_legend(struct graph *g);
void flamegraph__open_item(struct graph *g, unsigned int at, const char *search, const char *class);
void flamegraph__close_item(struct graph *g);
void flamegraph__close_legend(struct graph *g, unsigned int n);

/* --- flamegraph_changed.c: of a comparison ----------------------------------- */

void flamegraph__changed_head(struct graph *g);
void flamegraph__changed_legend(struct graph *g);
/* "more3", "same", "less1": a class, and what is searched for */
const char *flamegraph__change_class(const struct flame_node *node);
/* The numbers of a frame, as XML. */
void flamegraph__changed_numbers(FILE *out, const struct flame_node *node);

#endif
