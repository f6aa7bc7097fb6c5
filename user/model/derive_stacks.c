/* SPDX-License-Identifier: MIT */
/* The stacks of a snapshot. Most counts share their stack with others: its frames are laid out
 * once. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/counts.h"

/* Besides its Python frames, a stack may need one frame for a reason and one for native code. */
#define EXTRA_FRAMES 2

static const char *const unwind_frames[] = {
#define CT_UNWIND(id, name, help) [CT_UNWIND_##id] = "[" name "]",
#include <cowtrace/reasons.def>
};

static const char *const missing_frames[] = {
#define CT_MISSING(id, name, help) [CT_MISSING_##id] = "[" name "]",
#include <cowtrace/reasons.def>
};

/* Same frames first, so that they are neighbours; then what tells rows apart. */
static int compare_frames_of(const struct count *a, const struct count *b)
{
	return compare_number((uintptr_t)a->key.stack, (uintptr_t)b->key.stack) ?:
	       compare_number(a->unwind, b->unwind)				  ?:
	       compare_name(a->native, b->native);
}

/* Whose variables or memory; a collection, or not. Counts that go up and down are one row. */
static const char *detail_of(const struct count *count)
{
	switch (count->key.cause) {
	case CAUSE_NATIVE_DATA:
	case CAUSE_BUFFER:
	case CAUSE_GC_HEADER:
		return count->key.detail;
	default:
		return "";
	}
}

static int compare_rows_of(const struct count *a, const struct count *b)
{
	return compare_frames_of(a, b) ?:
	       compare_number((uintptr_t)a->key.process, (uintptr_t)b->key.process) ?:
	       compare_number(a->key.cause, b->key.cause)			      ?:
	       compare_number(a->key.origin, b->key.origin)			      ?:
	       compare_number(a->key.certainty, b->key.certainty)		      ?:
	       compare_name(a->key.type, b->key.type)				      ?:
	       compare_name(detail_of(a), detail_of(b));
}

static int compare_counts(const void *a, const void *b)
{
	return compare_rows_of(*(const struct count *const *)a, *(const struct count *const *)b);
}

static int compare_frames(const struct snapshot_stack *a, const struct snapshot_stack *b)
{
	for (uint32_t i = 0; i < a->n && i < b->n; i++) {
		const struct snapshot_frame *x = &a->frames[i], *y = &b->frames[i];
		int order = compare_name(x->function, y->function) ?:
			    compare_name(x->file, y->file)	   ?:
			    compare_number(x->line, y->line);

		if (order)
			return order;
	}
	return compare_number(a->n, b->n);
}

static int order_stacks(const void *a, const void *b)
{
	const struct snapshot_stack *x = a, *y = b;

	return compare_number(y->copies, x->copies)	?: compare_number(x->process, y->process) ?:
	       compare_name(x->cause, y->cause)		?: compare_name(x->type, y->type) ?:
	       compare_name(x->origin, y->origin)	?:
	       compare_name(x->certainty, y->certainty) ?: compare_number(y->pages, x->pages) ?:
	       compare_frames(x, y)			?: compare_name(x->detail, y->detail);
}

/* A stack that does not reach its root says why there; one of a thread without Python is whole. */
static const char *root_reason(uint8_t unwind, bool has_frames)
{
	switch (unwind) {
	case CT_UNWIND_COMPLETE:
	case CT_UNWIND_NO_PYTHON:
	case CT_UNWIND_NO_THREAD:
	case CT_UNWIND_NO_FRAME:
		return NULL;
	case CT_UNWIND_TOO_DEEP:
		return has_frames ? unwind_frames[unwind] : NULL;
	default:
		return unwind < CT_UNWIND_MAX ? unwind_frames[unwind] : NULL;
	}
}

static struct snapshot_frame python_frame(const struct frame_fact *fact)
{
	uint8_t missing = fact->missing < CT_MISSING_MAX ? fact->missing : CT_MISSING_NONE;

	if (!fact->file)
		return (struct snapshot_frame){.function = missing_frames[missing]};
	return (struct snapshot_frame){
		.file = fact->file, .function = fact->function, .line = fact->line};
}

/* Writes the frames of a count, root first; returns how many. */
static uint32_t lay_frames(struct snapshot_frame *frames, const struct count *count)
{
	const struct stack_fact *stack = count->key.stack;
	uint16_t n_python = stack ? stack->n : 0;
	const char *reason = root_reason(n_python ? stack->unwind : count->unwind, n_python);
	uint32_t n = 0;

	if (reason)
		frames[n++] = (struct snapshot_frame){.function = reason};
	for (uint16_t i = n_python; i-- > 0;)
		frames[n++] = python_frame(&stack->frames[i]);
	if (count->native)
		frames[n++] = (struct snapshot_frame){.function = count->native};
	return n;
}

static size_t count_frames(const struct count *const *counts, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (!i || compare_frames_of(counts[i - 1], counts[i]) != 0)
			sum += EXTRA_FRAMES + (counts[i]->key.stack ? counts[i]->key.stack->n : 0);
	return sum;
}

static void start_row(struct snapshot_stack *row, const struct count *count)
{
	row->process = count->key.process->row;
	row->pid = count->key.process->facts.group ? 0 : count->key.process->facts.pid;
	row->command = count->key.process->facts.command;
	row->cause = cause__name(count->key.cause);
	row->type = count->key.type;
	row->origin = origin__name(count->key.origin);
	row->certainty = certainty__name(count->key.certainty);
	row->detail = detail_of(count);
}

/* Merges sorted counts to rows; returns how many. */
static size_t merge(const struct count *const *counts, size_t n, struct snapshot_stack *row,
		    struct snapshot_frame *frames)
{
	const struct snapshot_stack *first = row--;
	uint32_t n_frames = 0;

	for (size_t i = 0; i < n; i++) {
		if (!i || compare_frames_of(counts[i - 1], counts[i]) != 0) {
			frames += n_frames;
			n_frames = lay_frames(frames, counts[i]);
		}
		if (!i || compare_rows_of(counts[i - 1], counts[i]) != 0) {
			start_row(++row, counts[i]);
			row->frames = frames;
			row->n = n_frames;
		}
		row->copies += counts[i]->copies;
		row->pages += counts[i]->pages;
	}
	return (size_t)(row + 1 - first);
}

int stacks__make(const struct aggregate *agg, struct derived *out)
{
	size_t n = 0, all = HASH_COUNT(agg->counts);
	_free_ const struct count **counts = calloc(all + 1, sizeof(struct count *));

	out->stacks = calloc(all + 1, sizeof(*out->stacks));
	if (!counts || !out->stacks)
		return -ENOMEM;
	for (const struct count *c = agg->counts; c; c = c->hh.next)
		counts[n++] = c;
	qsort(counts, n, sizeof(struct count *), compare_counts);
	out->frames = calloc(count_frames(counts, n) + 1, sizeof(*out->frames));
	if (!out->frames)
		return -ENOMEM;
	out->view.n_stacks = merge(counts, n, out->stacks, out->frames);
	qsort(out->stacks, out->view.n_stacks, sizeof(*out->stacks), order_stacks);
	return 0;
}
