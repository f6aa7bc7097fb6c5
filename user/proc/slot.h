/* SPDX-License-Identifier: MIT */
/*
 * Blocks of musl's malloc (mallocng, musl 1.2.1 to 1.2.5), found from an address inside one. Blocks
 * of one size lie in a group, whose description lies elsewhere and points back to the group.
 */
#ifndef COWTRACE_PROC_SLOT_H
#define COWTRACE_PROC_SLOT_H

#include "proc/chunk.h"

/* The block in use that holds addr, in a mapping. far: also a large one that begins
 * more than 64 KiB before addr. 0, -ENOENT, -ESTALE (it is free) or
 * an error of mem__read. */
int slot__find(const struct mem_source *mem, uint64_t addr, const struct chunk_space *in, bool far,
	       struct chunk_scratch *scratch, struct chunk *out);

#endif
