/* SPDX-License-Identifier: MIT */
/* The garbage collector, and the holes that it leaves behind. */
#include <string.h>

#include "base/number.h"
#include "model/advice_rules.h"

/* The text of a line, NULL if it is not at hand. */
static const char *source_of(const struct snapshot *snap, const struct snapshot_frame *line)
{
	for (size_t i = 0; i < snap->n_sites && i < SNAPSHOT_SOURCES; i++) {
		const struct snapshot_site *site = &snap->sites[i];

		if (site->file && site->source && site->line == line->line &&
		    strcmp(site->file, line->file) == 0)
			return site->source;
	}
	return NULL;
}

/* The two rules about collections differ in who began them. */
enum beginner {
	NOT_KNOWN, /* the line is not at hand */
	PROGRAM,   /* it says collect() */
	COLLECTOR, /* it does not: so many objects had been made */
};

static enum beginner beginner_of(const struct snapshot *snap, const struct snapshot_stack *row)
{
	const char *source = source_of(snap, row__line(row));

	return !source ? NOT_KNOWN : strstr(source, "collect(") ? PROGRAM : COLLECTOR;
}

/* What has no Python line was written while the interpreter shut down: advise__exit(). */
static bool is_collection(const struct snapshot_stack *row)
{
	return row__is(row, "gc-header") && strcmp(row->detail, "collect") == 0 &&
	       row__was_shared(row) && row__line(row) && !row__import(row);
}

/* Of a line that is not at hand it is not said that nobody asked, unless of others it can be. */
static enum beginner most_likely(const struct snapshot *snap)
{
	bool seen[COLLECTOR + 1] = {false};

	for (size_t i = 0; i < snap->n_stacks; i++)
		if (is_collection(&snap->stacks[i]))
			seen[beginner_of(snap, &snap->stacks[i])] = true;
	return seen[COLLECTOR] && !seen[PROGRAM] ? COLLECTOR : PROGRAM;
}

struct collections {
	enum beginner wanted, unknown; /* who; and who is taken to be it where it is not known */
};

static bool collects(const struct giver *g, const struct snapshot_stack *row, const void *arg)
{
	const struct collections *c = arg;

	return is_collection(row) && (beginner_of(g->snap, row) ?: c->unknown) == c->wanted;
}

static struct tally ask_collections(struct giver *g, enum beginner wanted)
{
	const struct collections arg = {wanted, most_likely(g->snap)};
	const struct question question = {.concerns = collects, .arg = &arg};

	return tally__ask(g, &question);
}

/*
 * A collection writes to the header of every object it looks at. gc.freeze() takes what exists out
 * of its sight. docs.python.org/3/library/gc.html#gc.freeze: disable early in the parent, so that
 * it makes no holes (advise__refill()), freeze right before the fork, enable in the child. Up
 * to 3.13 freezing writes to a few list heads only (Modules/gcmodule.c, gc_freeze_impl), so it may
 * come after the fork, too, if no collection has been there before it (measured: tests/lab).
 * Free-threaded builds write to each object (Python/gc_free_threading.c, visit_freeze).
 */
void advise__freeze(struct giver *g)
{
	struct tally tally = ask_collections(g, PROGRAM);

	if (!tally__matters(g, &tally))
		return;
	advice__say(
		g,
		&(struct words){"gc-freeze", HINT_FREEZE,
				"It does not help against what else writes to the same pages: "
				"most often reference counts."},
		snapshot__bytes(g->snap, tally.most),
		"Garbage collections wrote their marks into %s shared pages, most of them at %s. "
		"`gc.freeze()` right before the fork tells the collector to leave alone what "
		"exists by then.",
		number__count(tally.pages).s, tally__place(tally.place).s);
}

/*
 * Nobody asked for it: so many objects were made that the collector began of itself. A full
 * collection comes when more than a quarter of the objects that survived the last one have been
 * added (3.8 to 3.13, 3.14.5+: gcmodule.c, gc_collect_generations, long_lived_pending), after
 * threshold0 * threshold1 * threshold2 of them; raised thresholds delay that past the life of most
 * workers.
 */
void advise__threshold(struct giver *g)
{
	struct tally tally = ask_collections(g, COLLECTOR);

	if (!tally__matters(g, &tally))
		return;
	advice__say(
		g,
		&(struct words){"gc-threshold", HINT_THRESHOLD,
				"`gc.freeze()` before the fork does as much, without leaving "
				"cycles lie. Neither helps against what else writes to the same "
				"pages: most often reference counts."},
		snapshot__bytes(g->snap, tally.most),
		"New objects made the garbage collector run of itself, most often at %s, and it "
		"wrote its marks into %s shared pages. With higher thresholds it runs less "
		"often.",
		tally__place(tally.place).s, number__count(tally.pages).s);
}

/* Anything smaller is what a worker needs for itself: the places that it fills first. */
#define MIN_REFILLED_PAGES 128

static bool refills(const struct giver *g, const struct snapshot_stack *row, const void *arg)
{
	(void)arg;
	return row__is(row, "allocator") && row__is_workers(g, row) && row__was_shared(row) &&
	       row__line(row) && !row__import(row);
}

/*
 * pymalloc and malloc hand out the free blocks of pages in use before they take new pages. What the
 * parent frees between the building of its data and the fork, by hand or by a collection, leaves
 * such blocks, and the workers' first objects go into them
 * (docs.python.org/3/library/gc.html#gc.freeze: 'creation of freed "holes" in memory pages in the
 * parent process').
 */
void advise__refill(struct giver *g)
{
	const struct question question = {.concerns = refills};
	struct tally tally = tally__ask(g, &question);

	if (!tally__matters(g, &tally) || tally.most < MIN_REFILLED_PAGES)
		return;
	advice__say(
		g,
		&(struct words){"allocator-refill", HINT_FREEZE,
				"Leave out a `gc.collect()` before the fork, and build in another "
				"process what needs much memory for a while. It does not help if "
				"the workers free shared data themselves."},
		snapshot__bytes(g->snap, tally.most),
		"Workers put new objects, most of them at %s, into blocks of shared pages that "
		"were free: the parent had freed what lay there, or a garbage collection had.",
		tally__place(tally.place).s);
}
