/* SPDX-License-Identifier: MIT */
#include "model/stack_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/snapshot.h"

/* Frames laid out in one place: many stacks of a snapshot share theirs. */
struct layout {
	const struct snapshot_frame *frames;
	uint32_t n;
	size_t first; /* of its numbers */
};

/* One frame in one layout. */
struct place {
	const struct snapshot_frame *frame;
	size_t at; /* where its number goes */
};

struct stack_table {
	struct layout *layouts; /* by the address of their frames */
	size_t n_layouts, n_numbers;
	uint32_t *numbers;
	const struct snapshot_frame **frames; /* by number */
	size_t n_frames;
};

static int order_layouts(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct layout *)a)->frames;
	uintptr_t y = (uintptr_t)((const struct layout *)b)->frames;

	return x < y ? -1 : x > y;
}

/* Mostly equal strings are one string; NULL comes first. */
static int compare_texts(const char *a, const char *b)
{
	if (a == b)
		return 0;
	if (!a || !b)
		return a ? 1 : -1;
	return strcmp(a, b);
}

int stack_table__compare(const struct snapshot_frame *a, const struct snapshot_frame *b)
{
	return compare_texts(a->function, b->function) ?: compare_texts(a->file, b->file) ?:
	       (a->line < b->line ? -1 : a->line > b->line);
}

static int order_places(const void *a, const void *b)
{
	return stack_table__compare(((const struct place *)a)->frame,
				    ((const struct place *)b)->frame);
}

/* Fills layouts, sorted and each once; returns how many frames they have. */
static size_t find_layouts(const struct snapshot_stack *stacks, size_t n_stacks,
			   struct stack_table *table)
{
	size_t n = 0, frames = 0;

	for (size_t i = 0; i < n_stacks; i++)
		table->layouts[i] = (struct layout){.frames = stacks[i].frames, .n = stacks[i].n};
	qsort(table->layouts, n_stacks, sizeof(*table->layouts), order_layouts);
	for (size_t i = 0; i < n_stacks; i++) {
		if (n && table->layouts[n - 1].frames == table->layouts[i].frames)
			continue;
		table->layouts[n] = table->layouts[i];
		table->layouts[n++].first = frames;
		frames += table->layouts[n - 1].n;
	}
	table->n_layouts = n;
	return frames;
}

static void number_frames(struct stack_table *table, struct place *places, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < table->n_layouts; i++)
		for (uint32_t f = 0; f < table->layouts[i].n; f++, k++)
			places[k] = (struct place){&table->layouts[i].frames[f], k};
	qsort(places, n, sizeof(*places), order_places);
	for (size_t i = 0; i < n; i++) {
		if (!i || order_places(&places[i - 1], &places[i]) != 0)
			table->frames[table->n_frames++] = places[i].frame;
		table->numbers[places[i].at] = (uint32_t)table->n_frames - 1;
	}
}

static int fill(struct stack_table *table, const struct snapshot_stack *stacks, size_t n_stacks)
{
	_free_ struct place *places = NULL;
	size_t n;

	table->layouts = calloc(n_stacks + 1, sizeof(*table->layouts));
	if (!table->layouts)
		return -ENOMEM;
	table->n_numbers = n = find_layouts(stacks, n_stacks, table);
	places = calloc(n + 1, sizeof(*places));
	table->numbers = calloc(n + 1, sizeof(*table->numbers));
	table->frames = calloc(n + 1, sizeof(*table->frames));
	if (!places || !table->numbers || !table->frames)
		return -ENOMEM;
	number_frames(table, places, n);
	return 0;
}

int stack_table__new(const struct snapshot_stack *stacks, size_t n, struct stack_table **out)
{
	struct stack_table *table = calloc(1, sizeof(*table));
	int err = table ? fill(table, stacks, n) : -ENOMEM;

	if (err)
		stack_table__free(table);
	else
		*out = table;
	return err;
}

void stack_table__free(struct stack_table *table)
{
	if (!table)
		return;
	free(table->layouts);
	free(table->numbers);
	free(table->frames);
	free(table);
}

size_t stack_table__count(const struct stack_table *table)
{
	return table->n_frames;
}

const struct snapshot_frame *stack_table__frame(const struct stack_table *table, uint32_t number)
{
	return table->frames[number];
}

size_t stack_table__size(const struct stack_table *table)
{
	return table->n_numbers;
}

size_t stack_table__first(const struct stack_table *table, const struct snapshot_stack *stack)
{
	struct layout wanted = {.frames = stack->frames};
	const struct layout *found =
		bsearch(&wanted, table->layouts, table->n_layouts, sizeof(wanted), order_layouts);

	return found ? found->first : 0;
}

const uint32_t *stack_table__numbers(const struct stack_table *table,
				     const struct snapshot_stack *stack)
{
	return table->numbers + stack_table__first(table, stack);
}
