/* SPDX-License-Identifier: MIT */
#include "enrich/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cowtrace/abi.h>

#include "base/hash.h"
#include "enrich/image.h"
#include "enrich/names.h"
#include "python/code.h"

/* How often the names that a stack lacks are asked for when it is used again. */
#define MAX_TRIES 16

struct node {
	uint64_t id;
	struct stack_entry entry;
	/* While names are missing: the frames as they came, and in which image. */
	struct ct_frame *frames;
	uint64_t image;
	uint16_t n_frames;
	uint8_t tries;
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

static void node__free(struct node *n)
{
	free(n->entry.fact);
	free(n->frames);
	free(n);
}

void stacks__free(struct stacks *stacks)
{
	struct node *n, *next;

	if (!stacks)
		return;
	HASH_ITER (hh, stacks->by_id, n, next) {
		HASH_DEL(stacks->by_id, n);
		node__free(n);
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
	*fact = (struct frame_fact){.missing = code->missing};
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

/* Fills the fact anew, which stays where it is: others point to it. True if nothing is missing. */
static bool stack__resolve(struct stack_entry *entry, struct names *names,
			   const struct process *process, const struct image *image,
			   const struct ct_frame *frames, unsigned int n)
{
	struct stack_fact *fact = entry->fact;
	bool complete = true;

	fact->n = 0;
	entry->n_codes = 0;
	for (unsigned int i = 0; i < n; i++) {
		const struct code_entry *code =
			names__code(names, process, image, frames[i].code, frames[i].check);

		/* 3.13: the frame in between an inlined __init__ and its caller; Python hides it
		 * too */
		if (code->code && code->code->trampoline)
			continue;
		frame__resolve(entry, &fact->frames[fact->n++], code, image, &frames[i]);
		complete &= code->code && (fact->frames[fact->n - 1].line || !code->code->cut);
	}
	return complete;
}

/* Copies of a stack that lacks names are explained again and again: what can be had will be had
 * soon, or never. */
static void node__retry(struct node *n, struct names *names, const struct process *process,
			const struct image *image)
{
	if (!n->frames || !image || image->id != n->image)
		return;
	n->tries++;
	if (!stack__resolve(&n->entry, names, process, image, n->frames, n->n_frames) &&
	    n->tries < MAX_TRIES)
		return;
	free(n->frames);
	n->frames = NULL;
}

static struct node *node__new(struct names *names, const struct process *process,
			      const struct image *image, const struct ct_stack *record)
{
	struct node *n = calloc(1, sizeof(*n));
	size_t size = record->nframes * sizeof(record->frames[0]);
	struct stack_fact *fact =
		calloc(1, sizeof(*fact) + record->nframes * sizeof(fact->frames[0]));

	if (!n || !fact) {
		free(n);
		free(fact);
		return NULL;
	}
	n->id = fact->id = record->id;
	n->entry.fact = fact;
	fact->unwind = record->unwind;
	if (stack__resolve(&n->entry, names, process, image, record->frames, record->nframes))
		return n;
	n->image = image->id;
	n->n_frames = record->nframes;
	n->frames = malloc(size);
	if (n->frames)
		memcpy(n->frames, record->frames, size);
	return n;
}

void stacks__add(struct stacks *stacks, struct names *names, const struct process *process,
		 const struct image *image, const struct ct_stack *record)
{
	struct node *n = node__find(stacks, record->id);

	if (!image->offsets)
		return;
	if (n) {
		node__retry(n, names, process, image);
		return;
	}
	n = node__new(names, process, image, record);
	if (n)
		HASH_ADD(hh, stacks->by_id, id, sizeof(n->id), n);
}

bool stacks__knows(struct stacks *stacks, uint64_t id)
{
	return node__find(stacks, id);
}

const struct stack_entry *stacks__find(struct stacks *stacks, struct names *names,
				       const struct process *process, const struct image *image,
				       uint64_t id)
{
	struct node *n = node__find(stacks, id);

	if (!n)
		return NULL;
	node__retry(n, names, process, image);
	return &n->entry;
}
