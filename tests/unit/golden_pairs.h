/* SPDX-License-Identifier: MIT */
/* Made-up captures of two runs, an older and a newer one, for the tests of comparisons. */
#ifndef COWTRACE_TEST_GOLDEN_PAIRS_H
#define COWTRACE_TEST_GOLDEN_PAIRS_H

#include "golden_cases.h"
#include "model/compare.h"

struct golden_pair {
	const char *name;
	void (*older)(struct world *w);
	void (*newer)(struct world *w);
};

/* Two runs that are open, and what changed. */
struct pair_world {
	struct world older, newer;
	struct comparison *comparison;
	struct snapshot snap; /* of the newer */
};

static inline void pair__open(const struct golden_pair *pair, struct pair_world *p)
{
	world__open(&p->older);
	world__open(&p->newer);
	pair->older(&p->older);
	pair->newer(&p->newer);
	p->snap = *world__snapshot(&p->newer);
	if (comparison__new(world__snapshot(&p->older), &p->snap, "older.cow", &p->comparison))
		abort();
	p->snap.comparison = p->comparison;
}

static inline void pair__close(struct pair_world *p)
{
	comparison__free(p->comparison);
	world__close(&p->older);
	world__close(&p->newer);
}

/* --- the pairs --------------------------------------------------------------- */

/* The same service in its next release: it lies elsewhere, its lines have moved by four, it has one
 * worker more, keeps its numbers in an array and calls gc.freeze(); something new is shared badly.
 */
static inline void case_next_release(struct world *w)
{
	struct stack_fact *total =
		STACK(w, CT_UNWIND_COMPLETE, {"/srv/app-1.3/app.py", "BigApp.total", 18, 0},
		      {"/srv/app-1.3/app.py", "index", 35, 0},
		      {"/usr/lib/python3/dist-packages/gunicorn/workers/sync.py",
		       "SyncWorker.handle_request", 177, 0});
	struct stack_fact *cache =
		STACK(w, CT_UNWIND_COMPLETE, {"/srv/app-1.3/cache.py", "Cache.get", 7, 0},
		      {"/srv/app-1.3/app.py", "index", 33, 0});

	w->capture.seconds = 33.7;
	w->host.kernel = "7.0.13";
	master(w);
	for (uint32_t pid = 811; pid < 815; pid++) {
		world__process(w, (struct process_facts){.pid = pid,
							 .ppid = 4121,
							 .command = "gunicorn",
							 .python = "3.14.1",
							 .forked = true,
							 .started = START + pid,
							 .shared_at_fork = 432858368,
							 .shared_now = 430 * MIB,
							 .new_bytes = 3 * MIB});
		world__copy(w, 199,
			    (struct deed){.pid = pid,
					  .cause = CAUSE_REFCOUNT,
					  .certainty = CERTAINTY_PROVEN,
					  .type = "str",
					  .stack = total});
		world__copy(w, 4021,
			    (struct deed){.pid = pid,
					  .cause = CAUSE_MUTATION,
					  .certainty = CERTAINTY_PROVEN,
					  .type = "OrderedDict",
					  .stack = cache});
		world__copy(w, 41,
			    (struct deed){.pid = pid,
					  .cause = CAUSE_NATIVE_DATA,
					  .certainty = CERTAINTY_LIKELY,
					  .origin = CT_ORIGIN_FILE,
					  .detail = "libc.so.6",
					  .symbol = "_IO_file_write",
					  .unwind = CT_UNWIND_NO_FRAME});
	}
	w->source = "        self.entries.move_to_end(key)\n";
	w->source_line = 7;
}

/* As case_hostile, but for the numbers: names must meet in spite of what they are. */
static inline void case_hostile_again(struct world *w)
{
	struct stack_fact *stack =
		STACK(w, CT_UNWIND_COMPLETE,
		      {"/tmp/\xe2\x80\xaegpj.py;\r\n\x7f", "f\xc2\x9b;31m<script>&\"'", 7, 0});

	case_hostile(w);
	world__copy(w, 997,
		    (struct deed){.pid = 6,
				  .cause = CAUSE_REFCOUNT,
				  .certainty = CERTAINTY_PROVEN,
				  .type = "</script>\xe2\x80\xae\033[1m\n",
				  .stack = stack});
	w->host.kernel = "\033[2J6.1\n";
}

static const struct golden_pair golden_pairs[] = {
	{"next_release", case_gunicorn, case_next_release},
	{"last_release", case_next_release, case_gunicorn},
	{"unchanged", case_gunicorn, case_gunicorn},
	{"first_workers", case_empty, case_loaded_after_fork},
	{"not_alike", case_losses, case_cut_off},
	{"hostile_again", case_hostile, case_hostile_again},
	{"nothing_left", case_no_python, case_empty},
};

#define N_PAIRS (sizeof(golden_pairs) / sizeof(golden_pairs[0]))

#endif
