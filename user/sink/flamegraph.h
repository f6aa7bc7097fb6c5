/* SPDX-License-Identifier: MIT */
/* The parts of the flame graph. Private to sink/flamegraph*.c. */
#ifndef COWTRACE_SINK_FLAMEGRAPH_H
#define COWTRACE_SINK_FLAMEGRAPH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct flame_node;
struct snapshot;

/* The picture as it is without script; flamegraph.js lays it out anew for the window it is in. */
#define GRAPH_WIDTH  1200
#define GRAPH_MARGIN 12
#define ROW_HEIGHT   19

/* The whole picture, with at most about so many frames; it may stand in a page of HTML. */
int flamegraph__put(const struct snapshot *snap, size_t frames, FILE *out);

/* A class of flamegraph.css. */
const char *flamegraph__cause_class(const char *cause);
/* One frame; total: the bytes of all. */
void flamegraph__frame(FILE *out, const struct flame_node *node, uint64_t total);

#endif
