/* SPDX-License-Identifier: MIT */
/* Which Python object does an address belong to? */
#ifndef COWTRACE_ENRICH_OBJECT_H
#define COWTRACE_ENRICH_OBJECT_H

struct ct_copy;
struct fault_facts;
struct image;
struct names;
struct process;

/* Fills facts->type_at from the window and facts->pool from the header of the pymalloc pool. */
void object__find(struct names *names, const struct process *p, const struct image *image,
		  const struct ct_copy *copy, struct fault_facts *facts);

#endif
