/* SPDX-License-Identifier: MIT */
/* How processes begin and end, and how large their pages are. */
#include <string.h>

#include "base/number.h"
#include "model/advice_rules.h"

static bool runs_python(const struct snapshot_process *process)
{
	return process->python || process->python_problem;
}

static uint64_t known(uint64_t bytes)
{
	return bytes == SNAPSHOT_UNKNOWN ? 0 : bytes;
}

/* The most that it had filled itself: at its end, when it may have freed all, or when it was looked
 * at meanwhile. */
static uint64_t peak(const struct snapshot *snap, size_t process)
{
	const struct snapshot_history *history = &snap->history;
	uint64_t most = known(snap->processes[process].new_bytes);

	for (size_t i = 0; i < history->n_series; i++)
		for (uint32_t k = 0; history->series[i].process == process && k < history->n; k++)
			if (known(history->series[i].fresh[k]) > most)
				most = history->series[i].fresh[k];
	return most;
}

/* The command itself is the one that would share. */
static bool is_child(const struct snapshot *snap, const struct snapshot_process *child)
{
	for (size_t i = 0; i < snap->n_processes; i++)
		if (snap->processes[i].pid == child->ppid)
			return true;
	return false;
}

/* --- nothing to share -------------------------------------------------------- */

#define NOT_FORKED                                                                                 \
	"`spawn` and `forkserver`, the default of multiprocessing since Python 3.14, begin anew: " \
	"it takes `fork`."

/* Only where it is certain: a process whose start was not seen may share. */
static bool nothing_shared(struct giver *g)
{
	const struct snapshot *snap = g->snap;
	unsigned int pythons = 0;
	uint64_t most = 0;

	if (!snapshot__nothing_shared(snap))
		return false;
	for (size_t i = 0; i < snap->n_processes; i++) {
		const struct snapshot_process *p = &snap->processes[i];

		/* What it filled, and the variables of libraries that it wrote first. */
		uint64_t own = peak(snap, i) + snapshot__bytes(snap, p->pages);

		pythons += runs_python(p);
		if (is_child(snap, p) && runs_python(p) && own > most)
			most = own;
	}
	if (pythons < 2)
		return false;
	advice__say(g,
		    &(struct words){"nothing-shared", HINT_PRELOAD,
				    "It does not help where each process has other data."},
		    most,
		    "Nothing was shared: %u Python processes ran, and none began with memory of "
		    "another. What is loaded before a fork is shared. " NOT_FORKED,
		    pythons);
	return true;
}

/*
 * Workers that each built far more than they were given: their data was loaded after the fork.
 * Whether it is the same data in each, cowtrace can not know.
 */
#define MIN_BUILT (16u << 20)

static bool built_its_own(const struct snapshot_process *p, uint64_t built)
{
	return p->forked && runs_python(p) && p->shared_at_fork != SNAPSHOT_UNKNOWN &&
	       built >= MIN_BUILT && built / 2 >= p->shared_at_fork;
}

static void loaded_after_fork(struct giver *g)
{
	unsigned int builders = 0;
	uint64_t most = 0;

	for (size_t i = 0; i < g->snap->n_processes; i++) {
		uint64_t built = peak(g->snap, i);

		if (!built_its_own(&g->snap->processes[i], built))
			continue;
		builders++;
		most = built > most ? built : most;
	}
	if (builders < 2 ||
	    most * 100 < snapshot__bytes(g->snap, g->snap->capture.pages) * ADVICE_MIN_PERCENT)
		return;
	advice__say(
		g,
		&(struct words){"loaded-after-fork", HINT_PRELOAD,
				"It does not help where each process has other data, and reading "
				"Python objects copies them all the same."},
		most,
		"%u forked processes each filled much more memory after the fork (up to %s MiB) "
		"than they shared. If that is the same data in each, load it before the fork.",
		builders, number__mib(most).s);
}

void advise__share(struct giver *g)
{
	if (!nothing_shared(g))
		loaded_after_fork(g);
}

/* --- the end ----------------------------------------------------------------- */

/* Not what threads of C write, which have no Python either: their stacks, and the memory of their
 * libraries. */
static bool is_of_python(const struct snapshot_stack *row)
{
	static const char *const causes[] = {"refcount",     "gc-header",  "allocator",	 "mutation",
					     "inline-cache", "lazy-cache", "native-data"};

	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (row__is(row, causes[i]))
			return true;
	return row__is(row, "buffer") && !row->detail[0];
}

static bool has_python(const struct snapshot_stack *row)
{
	for (uint32_t i = 0; i < row->n; i++)
		if (row->frames[i].file)
			return true;
	return false;
}

static bool tears_down(const struct giver *g, const struct snapshot_stack *row, const void *arg)
{
	(void)arg;
	return row__is_workers(g, row) && g->snap->processes[row->process].exited &&
	       is_of_python(row) && !has_python(row);
}

/*
 * Py_FinalizeEx() clears modules and collects garbage when no line of Python runs any more (3.8
 * to 3.15, Python/pylifecycle.c): each shared object is written to, to be freed by a process that
 * is about to give its memory back at once.
 */
void advise__exit(struct giver *g)
{
	const struct question question = {.concerns = tears_down};
	struct tally tally = tally__ask(g, &question);

	if (!tally__matters(g, &tally))
		return;
	advice__say(
		g,
		&(struct words){"exit-without-teardown", HINT_EXIT,
				"That skips `atexit` functions, and files are not flushed. It does "
				"not help workers that serve: it saves time and memory only "
				"where they end often."},
		snapshot__bytes(g->snap, tally.most),
		"Workers that ended took their Python apart, object by object, and copied %s "
		"pages by that.",
		number__count(tally.pages).s);
}

/* --- huge pages -------------------------------------------------------------- */

static bool is_huge(const struct giver *g, const struct snapshot_stack *row, const void *arg)
{
	(void)g;
	(void)arg;
	return row->pages > row->copies;
}

/*
 * A write to a transparent huge page splits it and copies 4 KiB (5.8+, commit 3917c80280c9). One
 * that was only read is the huge page of zeros, and is filled whole since 6.18; one of hugetlb is
 * copied whole.
 */
void advise__huge_pages(struct giver *g)
{
	const struct question question = {.concerns = is_huge};
	struct tally tally = tally__ask(g, &question);

	if (!tally__matters(g, &tally))
		return;
	advice__say(
		g,
		&(struct words){"huge-pages", -1,
				"It does not help where most of each huge page is written."},
		snapshot__bytes(g->snap, tally.most),
		"A write took a whole huge page, %s times, most often at %s, where it would have "
		"taken %u KiB. For memory that is written here and there: "
		"`mmap.madvise(mmap.MADV_NOHUGEPAGE)` before it is first used, or no hugetlb.",
		number__count(tally.copies).s, tally__place(tally.place).s,
		g->snap->host.page_size / 1024);
}
