/* SPDX-License-Identifier: MIT */
/*
 * The tree of a flame graph: all, processes, frames, cause, type. Of many nodes the smallest are
 * left out, and counted, so that the picture stays of bounded size.
 */
#ifndef COWTRACE_SINK_FLAME_H
#define COWTRACE_SINK_FLAME_H

#include <stddef.h>
#include <stdint.h>

struct snapshot;
struct snapshot_frame;
struct snapshot_process;

enum flame_kind {
	FLAME_ALL,
	FLAME_PROCESS, /* process */
	FLAME_FRAME,   /* frame */
	FLAME_CAUSE,   /* name, cause */
	FLAME_TYPE,    /* name, cause */
	FLAME_LOST,    /* name: NULL for all of them, else a reason */
	FLAME_REST,    /* dropped */
};

struct flame_node {
	uint8_t kind;	 /* enum flame_kind */
	uint32_t parent; /* while it is made; depth and start say the same */
	uint32_t depth;
	const struct snapshot_process *process;
	const struct snapshot_frame *frame;
	const char *name, *cause;
	uint64_t bytes, copies;
	uint64_t start;	  /* bytes left of it */
	uint32_t dropped; /* how many nodes stand behind it, or were left out below it */
};

struct flame {
	struct flame_node *nodes; /* in order of start, parents before their children */
	size_t n;
	uint32_t depth;	   /* of the deepest one; the root has 0 */
	uint64_t dropped;  /* nodes that are left out */
	uint64_t smallest; /* bytes of the smallest that could have stayed */
};

/* The heaviest nodes, at most max; and for what is left out, at most one more below each of them.
 * 0 or -ENOMEM. The snapshot must outlive the flame. */
int flame__new(const struct snapshot *snap, size_t max, struct flame **out);
void flame__free(struct flame *flame);

#endif
