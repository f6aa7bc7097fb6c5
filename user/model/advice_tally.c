/* SPDX-License-Identifier: MIT */
/* Sums over the stacks of a snapshot, for the rules. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "model/advice_rules.h"

/* So many lines are tried for the one with the most copies: stacks are sorted, most copies first.
 */
#define PLACES 8

bool row__is(const struct snapshot_stack *row, const char *cause)
{
	return strcmp(row->cause, cause) == 0;
}

bool row__was_shared(const struct snapshot_stack *row)
{
	return strcmp(row->origin, "fork") == 0 || strcmp(row->origin, "ksm") == 0;
}

bool row__is_workers(const struct giver *g, const struct snapshot_stack *row)
{
	const struct snapshot_process *p = &g->snap->processes[row->process];

	return snapshot__is_sharer(p) && p->python;
}

const struct snapshot_frame *row__line(const struct snapshot_stack *row)
{
	const struct snapshot_frame *leaf = row->n ? &row->frames[row->n - 1] : NULL;

	return leaf && leaf->file ? leaf : NULL;
}

/* 3.8 to 3.15: the functions of both halves of importlib are frozen under these names. A module
 * that has been imported before is found without them. */
static bool is_importlib(const struct snapshot_frame *frame)
{
	return frame->file && strncmp(frame->file, "<frozen importlib._", 19) == 0;
}

const struct snapshot_frame *row__import(const struct snapshot_stack *row)
{
	for (uint32_t i = 1; i < row->n; i++)
		if (is_importlib(&row->frames[i]) && row->frames[i - 1].file)
			return &row->frames[i - 1];
	return NULL;
}

static bool same_place(const struct snapshot_frame *a, const struct snapshot_frame *b)
{
	bool files = a->file && b->file ? strcmp(a->file, b->file) == 0 : a->file == b->file;

	return files && a->line == b->line && strcmp(a->function, b->function) == 0;
}

static const struct snapshot_frame *place_of(const struct question *q,
					     const struct snapshot_stack *row)
{
	return q->place ? q->place(row) : row->n ? &row->frames[row->n - 1] : NULL;
}

static uint64_t copies_at(const struct giver *g, const struct question *q,
			  const struct snapshot_frame *place)
{
	uint64_t copies = 0;

	for (size_t i = 0; i < g->snap->n_stacks; i++) {
		const struct snapshot_stack *row = &g->snap->stacks[i];
		const struct snapshot_frame *at = place_of(q, row);

		if (at && same_place(at, place) && q->concerns(g, row, q->arg))
			copies += row->copies;
	}
	return copies;
}

static bool is_among(const struct snapshot_frame *const *places, size_t n,
		     const struct snapshot_frame *place)
{
	for (size_t i = 0; i < n; i++)
		if (same_place(places[i], place))
			return true;
	return false;
}

static void find_place(const struct giver *g, const struct question *q, struct tally *tally)
{
	const struct snapshot_frame *tried[PLACES];
	size_t n = 0;

	for (size_t i = 0; i < g->snap->n_stacks && n < PLACES; i++) {
		const struct snapshot_stack *row = &g->snap->stacks[i];
		const struct snapshot_frame *place = place_of(q, row);
		uint64_t copies;

		if (!place || is_among(tried, n, place) || !q->concerns(g, row, q->arg))
			continue;
		tried[n++] = place;
		copies = copies_at(g, q, place);
		if (copies <= tally->at_place)
			continue;
		tally->at_place = copies;
		tally->place = place;
	}
}

struct tally tally__ask(struct giver *g, const struct question *question)
{
	struct tally tally = {0};

	memset(g->by_process, 0, g->snap->n_processes * sizeof(*g->by_process));
	for (size_t i = 0; i < g->snap->n_stacks; i++) {
		const struct snapshot_stack *row = &g->snap->stacks[i];

		if (!question->concerns(g, row, question->arg))
			continue;
		tally.copies += row->copies;
		tally.pages += row->pages;
		g->by_process[row->process] += row->pages;
		if (g->by_process[row->process] > tally.most)
			tally.most = g->by_process[row->process];
	}
	if (tally__matters(g, &tally))
		find_place(g, question, &tally);
	return tally;
}

bool tally__matters(const struct giver *g, const struct tally *tally)
{
	return tally->pages * 100 >= g->snap->capture.pages * ADVICE_MIN_PERCENT &&
	       tally->most >= ADVICE_MIN_PAGES;
}

struct place_text tally__place(const struct snapshot_frame *place)
{
	struct place_text text = {""};

	if (place && place->file)
		snprintf(text.s, sizeof(text.s), "%s:%u in %s", place->file, place->line,
			 place->function);
	else if (place)
		snprintf(text.s, sizeof(text.s), "%s (native)", place->function);
	return text;
}
