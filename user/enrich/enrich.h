/* SPDX-License-Identifier: MIT */
/*
 * Asks the process, while it lives, what a record means, and makes plain facts of it. The only unit
 * that knows processes, ELF files, Python and symbols at once. A fact that can not be had carries a
 * reason; the copy is never dropped for it.
 */
#ifndef COWTRACE_ENRICH_ENRICH_H
#define COWTRACE_ENRICH_ENRICH_H

#include <stdbool.h>
#include <stdint.h>

#include <cowtrace/abi.h>

struct ct_pylayout;
struct enrich;
struct fault_facts;
struct intern;
struct process;
struct tree;

/* How a Python that was found becomes known to the kernel side. */
struct enrich_ops {
	void *ctx;
	void (*set_layout)(void *ctx, uint32_t slot, const struct ct_pylayout *layout);
	void (*use_layout)(void *ctx, uint32_t pid, uint32_t slot);
};

/* 0 or -ENOMEM. Pool and tree must outlive it. */
int enrich__new(struct intern *pool, struct tree *tree, const struct enrich_ops *ops,
		struct enrich **out);
void enrich__free(struct enrich *e);

/* Remembers less than it does else: what programs' addresses mean is asked for again when it is
 * needed. */
void enrich__limit(struct enrich *e);

/*
 * What takes the place of another one, while that still is there: processes that are adopted again
 * until enrich__succeeded keep the slots of their layouts.
 */
void enrich__succeed(struct enrich *e, const struct enrich *before);
void enrich__succeeded(struct enrich *e);

/* A process began, by fork (process->parent) or as the traced command; or executed a program. */
void enrich__forked(struct enrich *e, struct process *p);
void enrich__executed(struct enrich *e, struct process *p, uint64_t start_stack, uint64_t now);
/*
 * A process ran before cowtrace. Finds out which program it runs, and shares what is known of that
 * with those it was forked with; forgets process->forked_memory if its parent has gone on to
 * another.
 */
void enrich__adopted(struct enrich *e, struct process *p, uint64_t now);

void enrich__stack(struct enrich *e, struct process *p, const struct ct_stack *record);
void enrich__memory(struct enrich *e, struct process *p, const struct ct_memory *record);
/* False: the records that explain the copy, of its stack or of a type, have not come yet. */
bool enrich__knows(struct enrich *e, struct process *p, const struct ct_copy *copy);

/*
 * Everything known of one copy. p may be NULL (its fork record was lost). owner: whose memory it
 * is; p, another process that p wrote to, or NULL, if that one is not traced. Strings in facts live
 * as long as the pool, pointers to types and stacks until the next call.
 */
void enrich__copy(struct enrich *e, struct process *p, struct process *owner,
		  const struct ct_copy *copy, struct fault_facts *facts);

/* Looks for Pythons that were not loaded yet, lets go of processes that have long ended. Returns
 * true while there are young processes to look at again soon. */
bool enrich__tick(struct enrich *e, uint64_t now);

/* How many programs there have been, by how the search for a Python in them has ended: enum
 * layout_result of model/metrics.h. */
void enrich__layouts(const struct enrich *e, uint64_t *out);

/* "3.11.2" or NULL, interned; and why a Python is not explained or, if it is, what must be said of
 * that; NULL: nothing. */
const char *enrich__python(struct enrich *e, const struct process *p, const char **problem);

#endif
