/* SPDX-License-Identifier: MIT */
#include "enrich/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <uthash.h>

#include <cowtrace/abi.h>

#include "enrich/image.h"
#include "enrich/names.h"
#include "python/code.h"

struct node {
	uint64_t id;
	struct stack_entry entry;
	UT_hash_handle hh;
};

struct stacks {
	struct node *by_id;
	struct node *last; /* copies come in runs with the same stack */
};

int stacks__new(struct stacks **out)
{
	struct stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return -ENOMEM;
	*out = stacks;
	return 0;
}

void stacks__free(struct stacks *stacks)
{
	struct node *n, *next;

	if (!stacks)
		return;
	HASH_ITER (hh, stacks->by_id, n, next) {
		HASH_DEL(stacks->by_id, n);
		free(n->entry.fact);
		free(n);
	}
	free(stacks);
}

static struct node *node__find(struct stacks *stacks, uint64_t id)
{
	struct node *n = stacks->last;

	if (n && n->id == id)
		return n;
	HASH_FIND(hh, stacks->by_id, &id, sizeof(id), n);
	if (n)
		stacks->last = n;
	return n;
}

static void frame__resolve(struct stack_entry *entry, struct frame_fact *fact,
			   const struct code_entry *code, const struct image *image,
			   const struct ct_frame *frame)
{
	fact->missing = code->missing;
	if (!code->code)
		return;
	fact->file = code->file;
	fact->function = code->function;
	fact->line = py_code__line(code->code, image->offsets, frame->offset);
	if (entry->n_codes < STACK_CODES)
		entry->codes[entry->n_codes++] = (struct stack_code){
			.address = code->code->address,
			.bytecode = code->code->bytecode,
			.bytecode_end = code->code->bytecode_end,
			.end = code->code->end,
		};
}

static struct stack_fact *stack__resolve(struct stack_entry *entry, struct names *names,
					 const struct process *process, const struct image *image,
					 const struct ct_stack *record)
{
	struct stack_fact *fact =
		calloc(1, sizeof(*fact) + record->nframes * sizeof(fact->frames[0]));

	if (!fact)
		return NULL;
	fact->id = record->id;
	fact->unwind = record->unwind;
	for (unsigned int i = 0; i < record->nframes; i++) {
		const struct ct_frame *frame = &record->frames[i];
		const struct code_entry *code =
			names__code(names, process, image, frame->code, frame->check);

		/* 3.13: the frame in between an inlined __init__ and its caller; Python hides it
		 * too */
		if (!code->code || !code->code->trampoline)
			frame__resolve(entry, &fact->frames[fact->n++], code, image, frame);
	}
	return fact;
}

void stacks__add(struct stacks *stacks, struct names *names, const struct process *process,
		 const struct image *image, const struct ct_stack *record)
{
	struct node *n = node__find(stacks, record->id);

	if (n || !image->offsets)
		return;
	n = calloc(1, sizeof(*n));
	if (!n)
		return;
	n->id = record->id;
	n->entry.fact = stack__resolve(&n->entry, names, process, image, record);
	if (!n->entry.fact) {
		free(n);
		return;
	}
	HASH_ADD(hh, stacks->by_id, id, sizeof(n->id), n);
}

const struct stack_entry *stacks__find(struct stacks *stacks, uint64_t id)
{
	struct node *n = node__find(stacks, id);

	return n ? &n->entry : NULL;
}
