/* SPDX-License-Identifier: MIT */
/*
 * Which program runs in each process, from its exec, its fork or its adoption on: its image, its
 * maps, and the Python in it. Private to enrich: the part of enrich.h that is about processes, not
 * copies.
 */
#ifndef COWTRACE_ENRICH_PROGRAM_H
#define COWTRACE_ENRICH_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "enrich/block.h"
#include "enrich/enrich.h"
#include "model/metrics.h"

struct enrich {
	struct intern *pool;
	struct tree *tree;
	struct enrich_ops ops;
	struct elf_cache *elves;
	struct insn_decoder *insns;
	struct names *names;
	struct stacks *stacks;
	struct sweeps *sweeps;
	struct block_cache blocks;
	bool slots[CT_MAX_LAYOUTS];
	bool slots_before[CT_MAX_LAYOUTS]; /* of the one that it succeeds */
	uint64_t layouts[LAYOUT_MAX];
	uint64_t layouts_before[LAYOUT_MAX];
};

/*
 * The maps of a process, read now if they are older than `since` (ns). One batch of copies
 * refreshes them at most once, as all of it was made before the first refresh. May give the process
 * an image of its own.
 */
struct regions *program__regions(struct enrich *e, struct process *p, uint64_t since);
/* Looks for a Python, unless one is known. since: how old the maps may be, at most */
void program__look(struct enrich *e, struct process *p, uint64_t since);
/* Lets go of all that is kept for a process. */
void program__drop(struct enrich *e, struct process *p);

#endif
