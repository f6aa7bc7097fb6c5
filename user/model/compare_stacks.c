/* SPDX-License-Identifier: MIT */
/* The stacks of both runs: those that read the same, now, are one. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/compare_parts.h"
#include "model/stack_table.h"

/* A stack of one of the runs. */
struct half {
	struct snapshot_stack stack; /* as it is in the newer run */
	const uint32_t *numbers;     /* of its frames */
	uint64_t bytes;
	bool newer;
};

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int order_halves(const void *a, const void *b)
{
	const struct half *x = a, *y = b;
	int order = compare_numbers(x->stack.process, y->stack.process);

	for (uint32_t i = 0; !order && i < x->stack.n && i < y->stack.n; i++)
		order = compare_numbers(x->numbers[i], y->numbers[i]);
	return order						      ?:
	       compare_numbers(x->stack.n, y->stack.n)		      ?:
	       compare__text(x->stack.cause, y->stack.cause)	      ?:
	       compare__text(x->stack.type, y->stack.type);
}

/* What is of no other process and proven or not is one: the rest would be told apart by chance. */
static struct snapshot_stack reduce(const struct snapshot_stack *stack, uint32_t group,
				    const struct comparison *comparison,
				    const struct snapshot_frame *frames, uint32_t n)
{
	return (struct snapshot_stack){
		.process = group,
		.command = comparison->processes.rows[group].command,
		.cause = stack->cause,
		.type = stack->type,
		.n = n,
		.frames = n ? frames : NULL,
		.copies = stack->copies,
		.pages = stack->pages,
	};
}

static size_t collect(const struct comparison *comparison, const struct snapshot *newer,
		      const struct places *places, const struct groups *groups, struct half *halves)
{
	const struct snapshot *older = comparison->older;
	size_t n = 0;

	for (size_t i = 0; i < older->n_stacks; i++) {
		const struct snapshot_stack *stack = &older->stacks[i];
		uint32_t length;
		const struct snapshot_frame *frames = places__stack(places, stack, &length);

		halves[n].bytes = snapshot__bytes(older, stack->pages);
		halves[n++].stack =
			reduce(stack, groups->older[stack->process], comparison, frames, length);
	}
	for (size_t i = 0; i < newer->n_stacks; i++) {
		const struct snapshot_stack *stack = &newer->stacks[i];

		halves[n].newer = true;
		halves[n].bytes = snapshot__bytes(newer, stack->pages);
		halves[n++].stack = reduce(stack, groups->newer[stack->process], comparison,
					   stack->frames, stack->n);
	}
	return n;
}

static void add_half(struct snapshot_stack *stack, struct comparison_weight *weight,
		     const struct half *half)
{
	struct comparison_side *side = half->newer ? &weight->newer : &weight->older;

	side->copies += half->stack.copies;
	side->bytes += half->bytes;
	if (half->newer) {
		stack->copies += half->stack.copies;
		stack->pages += half->stack.pages;
	}
}

static void merge(const struct half *halves, size_t n, struct comparison *out,
		  struct snapshot_stack *stacks, struct comparison_weight *weights)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (!i || order_halves(&halves[i - 1], &halves[i]) != 0) {
			stacks[k] = halves[i].stack;
			stacks[k].copies = stacks[k].pages = 0;
			k++;
		}
		add_half(&stacks[k - 1], &weights[k - 1], &halves[i]);
	}
	for (size_t i = 0; i < k; i++) {
		weights[i].older.per_worker =
			comparison__per_worker(weights[i].older.bytes, out->older_workers);
		weights[i].newer.per_worker =
			comparison__per_worker(weights[i].newer.bytes, out->newer_workers);
	}
	out->n_stacks = k;
}

/* Numbers of the frames of all, so that comparing stacks does not compare texts. */
static int number(struct half *halves, size_t n, struct stack_table **table,
		  struct snapshot_stack *list)
{
	for (size_t i = 0; i < n; i++)
		list[i] = halves[i].stack;
	if (stack_table__new(list, n, table))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		halves[i].numbers = stack_table__numbers(*table, &list[i]);
	return 0;
}

int compare__stacks(struct comparison *out, const struct snapshot *newer,
		    const struct places *places, const struct groups *groups)
{
	size_t n = out->older->n_stacks + newer->n_stacks;
	_free_ struct half *halves = calloc(n + 1, sizeof(*halves));
	_free_ struct snapshot_stack *list = calloc(n + 1, sizeof(*list));
	struct snapshot_stack *stacks = calloc(n + 1, sizeof(*stacks));
	struct comparison_weight *weights = calloc(n + 1, sizeof(*weights));
	struct stack_table *table = NULL;

	out->stacks = stacks;
	out->weights = weights;
	if (!halves || !list || !stacks || !weights)
		return -ENOMEM;
	collect(out, newer, places, groups, halves);
	if (number(halves, n, &table, list))
		return -ENOMEM;
	qsort(halves, n, sizeof(*halves), order_halves);
	merge(halves, n, out, stacks, weights);
	stack_table__free(table);
	return 0;
}
