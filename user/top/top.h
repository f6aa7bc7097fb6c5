/* SPDX-License-Identifier: MIT */
/*
 * What `cowtrace top` shows and how keys change that: knows nothing of processes, tracing or
 * terminals. Keys go in, a canvas comes out.
 */
#ifndef COWTRACE_TOP_TOP_H
#define COWTRACE_TOP_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct canvas;
struct live_view;
struct snapshot_capture;
struct top;

struct top_data {
	const struct live_view *live;
	const struct snapshot_capture *capture;
	const char *kernel;
	uint32_t page_size;
	bool searching;	     /* for services on the whole machine; else processes were named */
	size_t closed;	     /* processes that could not be looked into, when searching */
	const char *message; /* the newest warning, or NULL */
};

enum top_action {
	TOP_NOTHING,
	TOP_DRAW,
	TOP_RENEW, /* draw all anew, as others have written on the screen */
	TOP_QUIT,
};

/* max_rows: of a table; 0: what there is room for. 0 or -ENOMEM. */
int top__new(unsigned int max_rows, struct top **out);
void top__free(struct top *top);

/* A character or one of top/keys.h. */
enum top_action top__key(struct top *top, int key);
/* The data shall stay as it is. */
bool top__paused(const struct top *top);
/* How many seconds the numbers of "now" are taken from. */
unsigned int top__window(const struct top *top);

/* 0 or -ENOMEM. */
int top__draw(struct top *top, const struct top_data *data, struct canvas *canvas);

#endif
