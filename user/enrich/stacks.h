/* SPDX-License-Identifier: MIT */
/* Python stacks by their id: resolved to files, functions and lines when their record arrives,
 * while the process that showed them most likely lives. */
#ifndef COWTRACE_ENRICH_STACKS_H
#define COWTRACE_ENRICH_STACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/facts.h"

struct ct_stack;
struct image;
struct names;
struct process;
struct stacks;

/* A code object that the stack was executing, innermost first. */
#define STACK_CODES 3
struct stack_code {
	uint64_t address, bytecode, bytecode_end, end;
};

struct stack_entry {
	struct stack_fact *fact;
	unsigned int n_codes;
	struct stack_code codes[STACK_CODES];
};

/* 0 or -ENOMEM. */
int stacks__new(struct stacks **out);
void stacks__free(struct stacks *stacks);

/* image: of the process, with offsets. Of a known id, only the names that are missing are asked
 * for.
 */
void stacks__add(struct stacks *stacks, struct names *names, const struct process *process,
		 const struct image *image, const struct ct_stack *record);
bool stacks__knows(struct stacks *stacks, uint64_t id);
/*
 * The stack of a copy that process has made; NULL: its record never came. Names that could not be
 * had when it came are asked for again: of this process, of its ancestors, and of what has become
 * known meanwhile.
 */
const struct stack_entry *stacks__find(struct stacks *stacks, struct names *names,
				       const struct process *process, const struct image *image,
				       uint64_t id);

#endif
