/* SPDX-License-Identifier: MIT */
/* What happens the first time that a worker does something: what the parent had done, it would
 * share. */
#include <string.h>

#include "base/number.h"
#include "model/advice_rules.h"

static bool fills_a_cache(const struct giver *g, const struct snapshot_stack *row, const void *arg)
{
	(void)arg;
	return (row__is(row, "inline-cache") || row__is(row, "lazy-cache")) &&
	       row__is_workers(g, row) && row__was_shared(row) && !row__import(row) &&
	       row__line(row);
}

/*
 * CPython writes into the bytecode of functions while they are run (3.11+: PEP 659, adaptive
 * instructions and their caches), and keeps what it has computed once: hashes, versions of types
 * and of the keys of dicts. What the parent has run and looked up is written by then; what is
 * specialized changes again only when other types come.
 */
void advise__warm_up(struct giver *g)
{
	const struct question question = {.concerns = fills_a_cache};
	struct tally tally = tally__ask(g, &question);

	if (!tally__matters(g, &tally))
		return;
	advice__say(
		g,
		&(struct words){"warm-up", HINT_WARM,
				"It does not help where reading writes the reference counts in the "
				"same pages, nor code that meets other types each time."},
		snapshot__bytes(g->snap, tally.most),
		"Functions that ran in a worker for the first time, most often at %s, made Python "
		"fill caches in %s shared pages: in their bytecode, and of hashes and versions. "
		"Run them before the fork, a few times.",
		tally__place(tally.place).s, number__count(tally.pages).s);
}

static bool imports(const struct giver *g, const struct snapshot_stack *row, const void *arg)
{
	(void)arg;
	return row__is_workers(g, row) && row__import(row) && row__was_shared(row);
}

/* An import makes thousands of objects, in the free blocks of shared pages first, and reads the
 * shared ones that it needs; and its modules are each worker's own. */
void advise__imports(struct giver *g)
{
	const struct question question = {.concerns = imports, .place = row__import};
	struct tally tally = tally__ask(g, &question);

	if (!tally__matters(g, &tally))
		return;
	advice__say(
		g,
		&(struct words){"import-before-fork", HINT_PRELOAD,
				"It does not help for modules that start threads or open "
				"connections: these do not survive a fork."},
		snapshot__bytes(g->snap, tally.most),
		"Workers imported modules, the most at %s, and copied %s shared pages by that. "
		"Import them before the fork, at the top of a module: then they are shared, with "
		"all that they take themselves.",
		tally__place(tally.place).s, number__count(tally.pages).s);
}

/* A page of the library's file that nobody had written to: had the parent, it would be shared. */
static bool writes_first(const struct giver *g, const struct snapshot_stack *row, const void *arg)
{
	const char *library = arg;

	return row__is(row, "native-data") && row__is_workers(g, row) &&
	       strcmp(row->origin, "file") == 0 && !row__import(row) &&
	       (!library || strcmp(row->detail, library) == 0);
}

/* The library with the most such pages; NULL: none. Rows are sorted, but by stack and process. */
static const char *find_library(struct giver *g)
{
	const struct snapshot *snap = g->snap;
	const char *best = NULL;
	uint64_t most = 0;

	for (size_t i = 0, tried = 0; i < snap->n_stacks && tried < 8; i++) {
		const struct question question = {.concerns = writes_first,
						  .arg = snap->stacks[i].detail};
		struct tally tally;

		if (!writes_first(g, &snap->stacks[i], NULL))
			continue;
		tally = tally__ask(g, &question);
		tried++;
		if (tally.copies > most) {
			most = tally.copies;
			best = snap->stacks[i].detail;
		}
	}
	return best;
}

/*
 * Variables of a library are pages of its file until they are written (mmap(2), MAP_PRIVATE): by
 * the loader, which relocates, by its own setting up, by its use.
 */
void advise__library(struct giver *g)
{
	const char *library = find_library(g);
	const struct question question = {.concerns = writes_first, .arg = library};
	struct tally tally;

	if (!library)
		return;
	tally = tally__ask(g, &question);
	if (!tally__matters(g, &tally))
		return;
	advice__say(
		g,
		&(struct words){"library-data", HINT_WARM,
				"It does not help for variables that each use writes anew."},
		snapshot__bytes(g->snap, tally.most),
		"Workers were the first to write to %s pages of variables of %s, most of them at "
		"%s. If it sets itself up when it is first used, use it once in the parent.",
		number__count(tally.pages).s, library, tally__place(tally.place).s);
}
