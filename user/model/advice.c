/* SPDX-License-Identifier: MIT */
#include "model/advice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"

/* What is less than this is not worth a change of the program: percent of all copies, pages that
 * one process copied. The second keeps the shared small ints and the like from being called a
 * container. */
#define MIN_PERCENT 1
#define MIN_PAGES   16
/* More lines than this are a habit of the program, better read from the table of sites. */
#define MAX_LINES 3

struct giver {
	const struct snapshot *snap;
	struct advice *out;
	size_t n;
};

__attribute__((format(printf, 4, 5))) static void give(struct giver *g, const char *rule,
						       uint64_t bytes, const char *fmt, ...)
{
	char text[2 * ADVICE_TEXT_MAX];
	va_list args;
	int len;

	if (g->n == ADVICE_MAX)
		return;
	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len < 0)
		return;
	/* A long name may have been cut inside a character. */
	utf8__sanitize(g->out->texts[g->n], ADVICE_TEXT_MAX, text, strlen(text));
	g->out->rows[g->n] = (struct snapshot_advice){
		.rule = rule, .text = g->out->texts[g->n], .bytes_per_process = bytes};
	g->n++;
}

static bool matters(const struct snapshot *snap, uint64_t copies, uint64_t per_process)
{
	return copies * 100 >= snap->capture.copies * MIN_PERCENT && per_process >= MIN_PAGES;
}

static uint64_t per_process(uint64_t copies, uint32_t processes)
{
	return processes ? (copies + processes - 1) / processes : copies;
}

/* --- elements of a container, read one by one -------------------------------- */

/*
 * A line that writes the reference counts of many ints reads them from a container: each page that
 * it copied holds other objects. In an array the same numbers are raw memory, which reading leaves
 * alone.
 */
struct family {
	const char *rule;
	const char *types[3];
	const char *instead;
};

static const struct family families[] = {
	{"numbers-in-container",
	 {"int", "float"},
	 "In an array (`array.array`, numpy, an mmap) numbers are raw memory without reference "
	 "counts, "
	 "and reading them copies nothing"},
	/* The same, but a name used as a dict key is a str, too: hence the condition. */
	{"strings-in-container",
	 {"str", "bytes"},
	 "If they are the elements of a large container, keep them in one piece of raw memory: a "
	 "numpy "
	 "array of fixed width, an Arrow array, or one `bytes` object with an array of offsets"},
};

static bool is_candidate(const struct snapshot_site *site, const struct family *family)
{
	if (!site->file || !site->type || strcmp(site->cause, "refcount") != 0)
		return false;
	for (size_t i = 0; family->types[i]; i++)
		if (strcmp(site->type, family->types[i]) == 0)
			return true;
	return false;
}

static bool same_line(const struct snapshot_site *a, const struct snapshot_site *b)
{
	return a->line == b->line && strcmp(a->file, b->file) == 0 &&
	       strcmp(a->function, b->function) == 0;
}

/* The first candidate of its line stands for all types of the family that the line reads. */
static bool is_first_of_line(const struct snapshot *snap, size_t at, const struct family *family)
{
	for (size_t i = 0; i < at; i++)
		if (is_candidate(&snap->sites[i], family) &&
		    same_line(&snap->sites[i], &snap->sites[at]))
			return false;
	return true;
}

static bool advise_line(struct giver *g, size_t at, const struct family *family)
{
	const struct snapshot *snap = g->snap;
	const struct snapshot_site *site = &snap->sites[at];
	uint64_t copies = 0, pages = 0, bytes;

	for (size_t i = at; i < snap->n_sites; i++) {
		const struct snapshot_site *other = &snap->sites[i];

		if (is_candidate(other, family) && same_line(site, other)) {
			copies += other->copies;
			pages += per_process(other->copies, other->processes);
		}
	}
	if (!matters(snap, copies, pages))
		return false;
	bytes = snapshot__bytes(snap, pages);
	give(g, family->rule, bytes,
	     "%s:%u in %s reads %s objects one by one, and each read writes the reference count in "
	     "its "
	     "object. %s. At most %s MiB less per process.",
	     site->file, site->line, site->function, site->type, family->instead,
	     number__mib(bytes).s);
	return true;
}

/* Sites are sorted: once one is below a third of the threshold, no sum of two types reaches it. */
static void read_one_by_one(struct giver *g, const struct family *family)
{
	const struct snapshot *snap = g->snap;
	unsigned int lines = 0;

	for (size_t i = 0; i < snap->n_sites && lines < MAX_LINES; i++) {
		if (snap->sites[i].copies * 3 * 100 < snap->capture.copies * MIN_PERCENT)
			break;
		if (is_candidate(&snap->sites[i], family) && is_first_of_line(snap, i, family))
			lines += advise_line(g, i, family);
	}
}

/* --- the garbage collector --------------------------------------------------- */

/*
 * A collection writes to the header of every object it looks at. gc.freeze() takes what exists out
 * of its sight; it must run in the parent, because it writes to all headers itself. The collect()
 * before it lets garbage go first, which would otherwise stay for ever.
 */
static void collections(struct giver *g)
{
	const struct snapshot *snap = g->snap;
	uint64_t copies = 0, pages = 0, served = 0, bytes;

	/* What has no Python line was written while the interpreter shut down: no memory of a
	 * worker that serves was lost there. */
	for (size_t i = 0; i < snap->n_sites; i++)
		if (snap->sites[i].file && !strcmp(snap->sites[i].cause, "gc-header"))
			served += snap->sites[i].copies;
	for (size_t i = 0; i < snap->n_causes; i++) {
		const struct snapshot_cause *cause = &snap->causes[i];

		if (strcmp(cause->cause, "gc-header") || strcmp(cause->detail, "collect"))
			continue;
		copies += cause->copies;
		pages += per_process(cause->copies, cause->processes);
	}
	if (served < copies) {
		pages = copies ? pages * served / copies : 0;
		copies = served;
	}
	if (!matters(snap, copies, pages))
		return;
	bytes = snapshot__bytes(snap, pages);
	/* gunicorn: Arbiter.start() calls when_ready after the app is loaded, before any fork. */
	give(g, "gc-freeze", bytes,
	     "The garbage collector wrote its marks into %s shared pages. `gc.collect(); "
	     "gc.freeze()` in "
	     "the parent, right before it forks, tells it to leave alone what exists by then. With "
	     "gunicorn: `preload_app = True` and `def when_ready(server): gc.collect(); "
	     "gc.freeze()` in "
	     "gunicorn.conf.py. At most %s MiB less per process.",
	     number__count(copies).s, number__mib(bytes).s);
}

/* --- nothing to share -------------------------------------------------------- */

#define HOW_TO_SHARE                                                                               \
	"What is loaded before the fork is shared: gunicorn does so with `--preload`, "            \
	"uWSGI "                                                                                   \
	"without `lazy-apps`, multiprocessing with the start method `fork` (`spawn` and "          \
	"`forkserver`, "                                                                           \
	"the default since Python 3.14, begin anew)."

static bool runs_python(const struct snapshot_process *process)
{
	return process->python || process->python_problem;
}

static uint64_t known(uint64_t bytes)
{
	return bytes == SNAPSHOT_UNKNOWN ? 0 : bytes;
}

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

		pythons += runs_python(p);
		if (known(p->new_bytes) > most)
			most = p->new_bytes;
	}
	if (pythons < 2)
		return false;
	give(g, "nothing-shared", most,
	     "Nothing was shared: %u Python processes ran, and none began with memory of another. "
	     "%s",
	     pythons, HOW_TO_SHARE);
	return true;
}

/*
 * Workers that each built far more than they were given: their data was loaded after the fork.
 * Whether it is the same data in each, cowtrace can not know.
 */
#define MIN_BUILT (16u << 20)

static bool built_its_own(const struct snapshot_process *p)
{
	return p->forked && runs_python(p) && p->shared_at_fork != SNAPSHOT_UNKNOWN &&
	       known(p->new_bytes) >= MIN_BUILT && p->new_bytes / 2 >= p->shared_at_fork;
}

static void loaded_after_fork(struct giver *g)
{
	unsigned int builders = 0;
	uint64_t most = 0;

	for (size_t i = 0; i < g->snap->n_processes; i++) {
		const struct snapshot_process *p = &g->snap->processes[i];

		if (!built_its_own(p))
			continue;
		builders++;
		most = p->new_bytes > most ? p->new_bytes : most;
	}
	if (builders < 2)
		return;
	give(g, "loaded-after-fork", most,
	     "%u forked processes each filled much more memory after the fork (up to %s MiB) than "
	     "they "
	     "shared. If that is the same data in each, load it before the fork: at most that much "
	     "less "
	     "per process. %s",
	     builders, number__mib(most).s, HOW_TO_SHARE);
}

static int order_rows(const void *a, const void *b)
{
	const struct snapshot_advice *x = a, *y = b;

	if (x->bytes_per_process != y->bytes_per_process)
		return x->bytes_per_process < y->bytes_per_process ? 1 : -1;
	return strcmp(x->text, y->text);
}

size_t advice__give(const struct snapshot *snap, struct advice *out)
{
	struct giver giver = {.snap = snap, .out = out};

	if (!nothing_shared(&giver))
		loaded_after_fork(&giver);
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		read_one_by_one(&giver, &families[i]);
	collections(&giver);
	qsort(out->rows, giver.n, sizeof(out->rows[0]), order_rows);
	return giver.n;
}
