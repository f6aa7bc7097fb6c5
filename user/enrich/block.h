/* SPDX-License-Identifier: MIT */
/* The piece of memory that an address lies in, as its allocator knows it. */
#ifndef COWTRACE_ENRICH_BLOCK_H
#define COWTRACE_ENRICH_BLOCK_H

struct view;

/* From the header of the pymalloc pool, which came with the copy. */
void block__of_pool(struct view *v);
/* From mimalloc's (free-threaded) or malloc's data, read from the process. */
void block__of_process(struct view *v);

#endif
