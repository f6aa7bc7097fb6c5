/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "model/compare_parts.h"
#include "model/stack_table.h"

/* A frame of the older run and where it is in the newer one. */
struct place {
	struct snapshot_frame then, now;
	bool found;   /* there is such a line */
	bool inlined; /* it was a function of its own, and is a part of its caller now */
};

/* How names of the older run become those of the newer one, and what the newer one has. */
struct names {
	const struct renames *renames;
	struct intern *pool;
	const struct line *now; /* sorted */
	size_t n_now;
};

struct places {
	const struct stack_table *frames; /* of the older run */
	struct place *at;		  /* by then, as the table has them */
	size_t n;
	struct snapshot_frame *stacks; /* of the older run, as they are now */
	uint32_t *lengths;	       /* of each, at its first frame */
};

/* --- lines to match ---------------------------------------------------------- */

static int order_functions(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return compare__text(x->file, y->file) ?: compare__text(x->function, y->function);
}

static int order_lines(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return order_functions(x, y) ?: (x->line < y->line ? -1 : x->line > y->line);
}

static bool is_now(const struct names *names, const char *file, const char *function)
{
	const struct line wanted = {.file = file, .function = function};

	return bsearch(&wanted, names->now, names->n_now, sizeof(wanted), order_functions);
}

/* Bytes of the name of the function that a comprehension stands in; 0: it is none. */
static size_t outer_length(const char *function)
{
	static const char *const kinds[] = {".<listcomp>", ".<dictcomp>", ".<setcomp>"};
	static const char locals[] = ".<locals>";
	size_t length = strlen(function), before;

	do {
		before = length;
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			size_t n = strlen(kinds[i]);

			if (length > n && strncmp(function + length - n, kinds[i], n) == 0)
				length -= n;
		}
	} while (length != before);
	if (!function[length] || length < sizeof(locals) ||
	    strncmp(function + length - strlen(locals), locals, strlen(locals)) != 0)
		return 0;
	return length - strlen(locals);
}

/* From 3.12 on (PEP 709) comprehensions are no functions of their own: what they copied is copied
 * by the function around them. file: as it is now. */
static const char *now_function(const struct names *names, const char *file, const char *function)
{
	size_t n = function ? outer_length(function) : 0;
	_free_ char *outer = n ? strndup(function, n) : NULL;

	if (!outer || is_now(names, file, function) || !is_now(names, file, outer))
		return function;
	return intern__str(names->pool, outer);
}

static int order_places(const void *a, const void *b)
{
	return stack_table__compare(&((const struct place *)a)->then,
				    &((const struct place *)b)->then);
}

static struct line now_line(const struct names *names, const char *file, const char *function,
			    uint32_t line)
{
	const char *now = renames__file(names->renames, file);

	return (struct line){
		.file = now, .function = now_function(names, now, function), .line = line};
}

/* names: for lines of the older run; NULL: they are of the newer one. */
static struct line make_line(const struct names *names, const char *file, const char *function,
			     uint32_t line)
{
	return names ? now_line(names, file, function, line)
		     : (struct line){.file = file, .function = function, .line = line};
}

/* A site says the text of its line. */
static void add_sources(const struct snapshot *snap, const struct names *names, struct line *lines,
			size_t n)
{
	for (size_t i = 0; i < snap->n_sites; i++) {
		const struct snapshot_site *site = &snap->sites[i];
		struct line wanted, *found;

		if (!site->file || !site->source)
			continue;
		wanted = make_line(names, site->file, site->function, site->line);
		found = bsearch(&wanted, lines, n, sizeof(wanted), order_lines);
		if (found)
			found->source = site->source;
	}
}

/* Allocated, sorted, each once. A native function has no lines; line 0 is one that is not known. */
static struct line *make_lines(const struct stack_table *frames, const struct names *names,
			       size_t *n)
{
	struct line *lines = calloc(stack_table__count(frames) + 1, sizeof(*lines));
	size_t all = 0;

	*n = 0;
	if (!lines)
		return NULL;
	for (uint32_t i = 0; i < stack_table__count(frames); i++) {
		const struct snapshot_frame *frame = stack_table__frame(frames, i);

		if (frame->file && frame->line)
			lines[all++] = make_line(names, frame->file, frame->function, frame->line);
	}
	qsort(lines, all, sizeof(*lines), order_lines);
	for (size_t i = 0; i < all; i++)
		if (!*n || order_lines(&lines[*n - 1], &lines[i]) != 0)
			lines[(*n)++] = lines[i];
	return lines;
}

/* --- places ------------------------------------------------------------------ */

static struct place find_now(const struct snapshot_frame *then, const struct names *names,
			     const struct line *lines, size_t n)
{
	struct line wanted = now_line(names, then->file, then->function, then->line);
	const struct line *found = bsearch(&wanted, lines, n, sizeof(wanted), order_lines);

	return (struct place){
		.then = *then,
		.now = {.file = wanted.file,
			.function = wanted.function,
			.line = found && found->partner ? found->partner : then->line},
		.found = found && found->partner,
		.inlined = wanted.function != then->function,
	};
}

static void fill(struct places *places, const struct names *names, const struct line *lines,
		 size_t n)
{
	for (uint32_t i = 0; i < stack_table__count(places->frames); i++) {
		const struct snapshot_frame *then = stack_table__frame(places->frames, i);

		places->at[places->n++] = then->file ? find_now(then, names, lines, n)
						     : (struct place){*then, *then, true, false};
	}
}

static bool same_function(const struct snapshot_frame *a, const struct snapshot_frame *b)
{
	return compare__text(a->file, b->file) == 0 && compare__text(a->function, b->function) == 0;
}

/* What was inlined takes the place of its caller. Returns the length. */
static uint32_t fill_stack(const struct places *places, const uint32_t *numbers, uint32_t n,
			   struct snapshot_frame *out)
{
	uint32_t length = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct place *place = &places->at[numbers[i]];

		if (place->inlined && length && same_function(&out[length - 1], &place->now))
			length--;
		out[length++] = place->now;
	}
	return length;
}

static void fill_stacks(struct places *places, const struct snapshot *older)
{
	for (size_t i = 0; i < older->n_stacks; i++) {
		const struct snapshot_stack *stack = &older->stacks[i];
		size_t first = stack_table__first(places->frames, stack);

		if (stack->n)
			places->lengths[first] =
				fill_stack(places, stack_table__numbers(places->frames, stack),
					   stack->n, &places->stacks[first]);
	}
}

int places__new(const struct snapshot *older, const struct stack_table *older_frames,
		const struct snapshot *newer, const struct stack_table *newer_frames,
		const struct renames *renames, struct intern *pool, struct places **out)
{
	size_t n_then = 0, n_now;
	_free_ struct line *now = make_lines(newer_frames, NULL, &n_now);
	const struct names names = {.renames = renames, .pool = pool, .now = now, .n_now = n_now};
	_free_ struct line *then = now ? make_lines(older_frames, &names, &n_then) : NULL;
	struct places *places = calloc(1, sizeof(*places));

	if (!then || !now || !places)
		goto out_of_memory;
	places->frames = older_frames;
	places->at = calloc(stack_table__count(older_frames) + 1, sizeof(*places->at));
	places->stacks = calloc(stack_table__size(older_frames) + 1, sizeof(*places->stacks));
	places->lengths = calloc(stack_table__size(older_frames) + 1, sizeof(*places->lengths));
	if (!places->at || !places->stacks || !places->lengths)
		goto out_of_memory;
	add_sources(older, &names, then, n_then);
	add_sources(newer, NULL, now, n_now);
	lines__match(then, n_then, now, n_now);
	fill(places, &names, then, n_then);
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
	free(places->lengths);
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
					   const struct snapshot_stack *old, uint32_t *n)
{
	size_t first = stack_table__first(places->frames, old);

	*n = old->n ? places->lengths[first] : 0;
	return places->stacks + first;
}
