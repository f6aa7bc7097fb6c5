/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/compare_parts.h"
#include "model/stack_table.h"

/* A frame of the older run and where it is in the newer one. */
struct place {
	struct snapshot_frame then, now;
	bool found; /* there is such a line */
};

struct places {
	const struct stack_table *frames; /* of the older run */
	struct place *at;		  /* by then, as the table has them */
	size_t n;
	struct snapshot_frame *stacks; /* of the older run, as they are now */
};

/* --- lines to match ---------------------------------------------------------- */

static int order_lines(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return compare__text(x->file, y->file) ?: compare__text(x->function, y->function) ?:
	       (x->line < y->line ? -1 : x->line > y->line);
}

static int order_places(const void *a, const void *b)
{
	return stack_table__compare(&((const struct place *)a)->then,
				    &((const struct place *)b)->then);
}

/* A site says the text of its line; renames: of the older run, NULL: of the newer one. */
static void add_sources(const struct snapshot *snap, const struct renames *renames,
			struct line *lines, size_t n)
{
	for (size_t i = 0; i < snap->n_sites; i++) {
		const struct snapshot_site *site = &snap->sites[i];
		struct line wanted = {
			.file = renames ? renames__file(renames, site->file) : site->file,
			.function = site->function,
			.line = site->line,
		};
		struct line *found;

		if (!site->file || !site->source)
			continue;
		found = bsearch(&wanted, lines, n, sizeof(wanted), order_lines);
		if (found)
			found->source = site->source;
	}
}

/* Allocated and sorted. A native function has no lines; line 0 is one that is not known. */
static struct line *make_lines(const struct stack_table *frames, const struct renames *renames,
			       size_t *n)
{
	struct line *lines = calloc(stack_table__count(frames) + 1, sizeof(*lines));

	*n = 0;
	for (uint32_t i = 0; lines && i < stack_table__count(frames); i++) {
		const struct snapshot_frame *frame = stack_table__frame(frames, i);

		if (frame->file && frame->line)
			lines[(*n)++] = (struct line){
				.file = renames ? renames__file(renames, frame->file) : frame->file,
				.function = frame->function,
				.line = frame->line,
			};
	}
	if (lines)
		qsort(lines, *n, sizeof(*lines), order_lines);
	return lines;
}

/* --- places ------------------------------------------------------------------ */

static struct place find_now(const struct snapshot_frame *then, const struct renames *renames,
			     const struct line *lines, size_t n)
{
	struct line wanted = {.file = renames__file(renames, then->file),
			      .function = then->function,
			      .line = then->line};
	const struct line *found = bsearch(&wanted, lines, n, sizeof(wanted), order_lines);

	return (struct place){
		.then = *then,
		.now = {.file = wanted.file,
			.function = then->function,
			.line = found && found->partner ? found->partner : then->line},
		.found = found && found->partner,
	};
}

static void fill(struct places *places, const struct renames *renames, const struct line *lines,
		 size_t n)
{
	for (uint32_t i = 0; i < stack_table__count(places->frames); i++) {
		const struct snapshot_frame *then = stack_table__frame(places->frames, i);

		places->at[places->n++] = then->file ? find_now(then, renames, lines, n)
						     : (struct place){*then, *then, true};
	}
}

static void fill_stacks(struct places *places, const struct snapshot *older)
{
	for (size_t i = 0; i < older->n_stacks; i++) {
		const struct snapshot_stack *stack = &older->stacks[i];
		const uint32_t *numbers = stack_table__numbers(places->frames, stack);
		size_t first = stack_table__first(places->frames, stack);

		for (uint32_t k = 0; k < stack->n; k++)
			places->stacks[first + k] = places->at[numbers[k]].now;
	}
}

int places__new(const struct snapshot *older, const struct stack_table *older_frames,
		const struct snapshot *newer, const struct stack_table *newer_frames,
		const struct renames *renames, struct places **out)
{
	size_t n_then, n_now;
	_free_ struct line *then = make_lines(older_frames, renames, &n_then);
	_free_ struct line *now = make_lines(newer_frames, NULL, &n_now);
	struct places *places = calloc(1, sizeof(*places));

	if (!then || !now || !places)
		goto out_of_memory;
	places->frames = older_frames;
	places->at = calloc(stack_table__count(older_frames) + 1, sizeof(*places->at));
	places->stacks = calloc(stack_table__size(older_frames) + 1, sizeof(*places->stacks));
	if (!places->at || !places->stacks)
		goto out_of_memory;
	add_sources(older, renames, then, n_then);
	add_sources(newer, NULL, now, n_now);
	lines__match(then, n_then, now, n_now);
	fill(places, renames, then, n_then);
	fill_stacks(places, older);
	*out = places;
	return 0;

out_of_memory:
	places__free(places);
	return -ENOMEM;
}

void places__free(struct places *places)
{
	if (!places)
		return;
	free(places->at);
	free(places->stacks);
	free(places);
}

bool places__find(const struct places *places, struct snapshot_frame *frame)
{
	const struct place wanted = {.then = *frame};
	const struct place *found =
		bsearch(&wanted, places->at, places->n, sizeof(wanted), order_places);

	if (found)
		*frame = found->now;
	return found && found->found;
}

const struct snapshot_frame *places__stack(const struct places *places,
					   const struct snapshot_stack *old)
{
	return places->stacks + stack_table__first(places->frames, old);
}
