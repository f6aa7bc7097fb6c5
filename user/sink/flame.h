/* SPDX-License-Identifier: MIT */
/*
 * The tree of a flame graph: all, processes, frames, cause, type. Of many nodes the smallest are
 * left out, and counted, so that the picture stays of bounded size.
 *
 * That of a comparison has two parts. What is copied now is as wide as that; beside it stands what
 * is copied no longer, as wide as the difference: else what was won would not be in the picture at
 * all. Together they are the larger of both runs, stack by stack.
 */
#ifndef COWTRACE_SINK_FLAME_H
#define COWTRACE_SINK_FLAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comparison_row;
struct snapshot;
struct snapshot_frame;
struct snapshot_process;

enum flame_kind {
	FLAME_ALL,
	FLAME_NOW,     /* of a comparison: what the newer run copied */
	FLAME_PROCESS, /* process; of a comparison: role */
	FLAME_FRAME,   /* frame */
	FLAME_CAUSE,   /* name, cause */
	FLAME_TYPE,    /* name, cause */
	FLAME_LESS,    /* of a comparison: what it copied less than the older one */
	FLAME_LOST,    /* name: NULL for all of them, else a reason */
	FLAME_REST,    /* dropped */
};

struct flame_node {
	uint8_t kind;	 /* enum flame_kind */
	uint32_t parent; /* while it is made; depth and start say the same */
	uint32_t depth;
	bool less; /* below FLAME_LESS, or it */
	const struct snapshot_process *process;
	const struct comparison_row *role;
	const struct snapshot_frame *frame;
	const char *name, *cause;
	uint64_t bytes, copies; /* of a comparison: bytes per worker; copies in all */
	uint64_t older, newer;	/* of a comparison: bytes per worker of each run */
	uint64_t start;		/* bytes left of it */
	uint32_t dropped;	/* how many nodes stand behind it, or were left out below it */
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
/* The same of its comparison. */
int flame__new_changed(const struct snapshot *snap, size_t max, struct flame **out);
void flame__free(struct flame *flame);

#endif
