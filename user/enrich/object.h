/* SPDX-License-Identifier: MIT */
/* Which Python object does an address belong to, and which of its fields? */
#ifndef COWTRACE_ENRICH_OBJECT_H
#define COWTRACE_ENRICH_OBJECT_H

struct block_cache;
struct ct_copy;
struct fault_facts;
struct image;
struct names;
struct process;

/*
 * Fills in facts: type_at from the window; block, from the header of the pymalloc pool, mimalloc's
 * or malloc's own data; object, new_refers ... from the process. The rest of facts has been filled
 * in before. Asks the process only where the window does not tell.
 */
void object__find(struct names *names, struct block_cache *blocks, const struct process *p,
		  const struct image *image, const struct ct_copy *copy, struct fault_facts *facts);

#endif
