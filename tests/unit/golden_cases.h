/* SPDX-License-Identifier: MIT */
/* Made-up captures for the tests of aggregate, advice and the sinks. */
#ifndef COWTRACE_TEST_GOLDEN_CASES_H
#define COWTRACE_TEST_GOLDEN_CASES_H

#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "model/aggregate.h"
#include "model/cause.h"
#include "model/facts.h"
#include "model/snapshot.h"

#define MIB	   (1ull << 20)
#define SECOND	   1000000000ull
#define START	   (1000 * SECOND)
#define PAGE	   4096u
#define MAX_FRAMES 200
#define MAX_STACKS 64

struct world {
	struct intern *pool;
	struct aggregate *agg;
	struct snapshot_host host;
	struct snapshot_capture capture;
	struct stack_fact *stacks[MAX_STACKS];
	size_t n_stacks;
	const char *source; /* of the sites at source_line, or of all if that is 0 */
	uint32_t source_line;
};

static inline void world__open(struct world *w)
{
	*w = (struct world){
		.host = {.kernel = "6.18.5", .machine = "x86_64", .page_size = PAGE},
		.capture = {.witness = "tracepoints",
			    .witness_limits = "",
			    .wall_time = 1767225600 * SECOND, /* 2026 begins */
			    .seconds = 31.2,
			    .kernel_copies = SNAPSHOT_UNKNOWN},
	};
	if (intern__new(&w->pool) || aggregate__new(w->pool, &w->agg))
		abort();
}

static inline void world__close(struct world *w)
{
	aggregate__free(w->agg);
	intern__free(w->pool);
	for (size_t i = 0; i < w->n_stacks; i++)
		free(w->stacks[i]);
}

static inline const struct snapshot *world__snapshot(struct world *w)
{
	const struct snapshot *snap;

	if (aggregate__snapshot(w->agg, &w->host, &w->capture, START, &snap))
		abort();
	for (size_t i = 0; w->source && i < snap->n_sites; i++)
		if (!w->source_line || snap->sites[i].line == w->source_line)
			aggregate__set_source(w->agg, i, w->source);
	if (aggregate__advise(w->agg))
		abort();
	return snap;
}

/* Leaf first, as facts have it. */
static inline struct stack_fact *world__stack(struct world *w, uint8_t unwind, size_t n,
					      const struct frame_fact *frames)
{
	struct stack_fact *stack = calloc(1, sizeof(*stack) + n * sizeof(*frames));

	if (!stack || w->n_stacks == MAX_STACKS)
		abort();
	stack->id = w->n_stacks + 1;
	stack->unwind = unwind;
	stack->n = (uint16_t)n;
	for (size_t i = 0; i < n; i++) {
		stack->frames[i] = frames[i];
		stack->frames[i].file = intern__str(w->pool, frames[i].file);
		stack->frames[i].function = intern__str(w->pool, frames[i].function);
	}
	w->stacks[w->n_stacks++] = stack;
	return stack;
}

#define STACK(w, unwind, ...)                                                                      \
	world__stack((w), (unwind),                                                                \
		     sizeof((struct frame_fact[]){__VA_ARGS__}) / sizeof(struct frame_fact),       \
		     (struct frame_fact[]){__VA_ARGS__})

/* What a process does n times. */
struct deed {
	uint32_t pid;
	uint8_t cause, certainty, origin;
	const char *detail, *type, *symbol, *syscall;
	const struct stack_fact *stack;
	uint8_t unwind;
	bool native; /* no Python in this process */
	uint8_t order;
	uint16_t sharers;
	uint32_t victim;
	bool uncounted;
};

static inline void world__copy(struct world *w, uint64_t n, struct deed deed)
{
	struct fault_facts facts = {
		.time = START + 2 * SECOND,
		.pid = deed.pid,
		.tid = deed.pid,
		.origin = deed.origin,
		.kernel = deed.syscall,
		.syscall = intern__str(w->pool, deed.syscall),
		.symbol = intern__str(w->pool, deed.symbol),
		.stack = deed.stack,
		.unwind = deed.unwind,
		.python = !deed.native,
		.order = deed.order,
		.sharers = deed.sharers,
		.victim = deed.victim,
		.uncounted = deed.uncounted,
	};
	struct verdict verdict = {
		.cause = deed.cause,
		.certainty = deed.certainty,
		.detail = intern__str(w->pool, deed.detail ? deed.detail : ""),
		.type = intern__str(w->pool, deed.type),
	};

	while (n--)
		aggregate__add(w->agg, &facts, &verdict);
}

static inline void world__process(struct world *w, struct process_facts process)
{
	process.command = intern__str(w->pool, process.command);
	process.python = intern__str(w->pool, process.python);
	process.python_problem = intern__str(w->pool, process.python_problem);
	aggregate__process(w->agg, &process);
}

/* --- the cases --------------------------------------------------------------- */

static inline void worker(struct world *w, uint32_t pid, double at, uint64_t now, uint64_t own)
{
	world__process(w, (struct process_facts){.pid = pid,
						 .ppid = 4121,
						 .command = "gunicorn",
						 .python = "3.11.2",
						 .forked = true,
						 .started = START + (uint64_t)(at * SECOND),
						 .shared_at_fork = 432858368,
						 .shared_now = now,
						 .new_bytes = own,
						 .reuses = 17});
}

static inline void master(struct world *w)
{
	world__process(w, (struct process_facts){.pid = 4121,
						 .ppid = 4000,
						 .command = "gunicorn",
						 .python = "3.11.2",
						 .started = START,
						 .shared_at_fork = SNAPSHOT_UNKNOWN,
						 .shared_now = 112 * MIB,
						 .new_bytes = 431 * MIB});
}

static inline void serve_requests(struct world *w, uint32_t pid, uint64_t numbers)
{
	struct stack_fact *total =
		STACK(w, CT_UNWIND_COMPLETE, {"/srv/app/app.py", "BigApp.total", 14, 0},
		      {"/srv/app/app.py", "index", 31, 0},
		      {"/usr/lib/python3/dist-packages/gunicorn/workers/sync.py",
		       "SyncWorker.handle_request", 177, 0});
	struct stack_fact *clean =
		STACK(w, CT_UNWIND_COMPLETE, {"/srv/app/app.py", "cleanup", 40, 0});

	world__copy(w, numbers,
		    (struct deed){.pid = pid,
				  .cause = CAUSE_REFCOUNT,
				  .certainty = CERTAINTY_PROVEN,
				  .detail = "inc",
				  .type = "int",
				  .stack = total});
	world__copy(w, 203,
		    (struct deed){.pid = pid,
				  .cause = CAUSE_REFCOUNT,
				  .certainty = CERTAINTY_PROVEN,
				  .detail = "dec",
				  .type = "str",
				  .stack = total});
	world__copy(w, 1060,
		    (struct deed){.pid = pid,
				  .cause = CAUSE_GC_HEADER,
				  .certainty = CERTAINTY_PROVEN,
				  .detail = "collect",
				  .type = "dict",
				  .stack = clean});
	world__copy(w, 97,
		    (struct deed){.pid = pid,
				  .cause = CAUSE_INLINE_CACHE,
				  .certainty = CERTAINTY_LIKELY,
				  .stack = total});
	world__copy(w, 41,
		    (struct deed){.pid = pid,
				  .cause = CAUSE_NATIVE_DATA,
				  .certainty = CERTAINTY_LIKELY,
				  .origin = CT_ORIGIN_FILE,
				  .detail = "libc.so.6",
				  .symbol = "_IO_file_write",
				  .unwind = CT_UNWIND_NO_FRAME});
	world__copy(w, 5,
		    (struct deed){.pid = pid,
				  .cause = CAUSE_KERNEL_WRITE,
				  .certainty = CERTAINTY_PROVEN,
				  .detail = "recvfrom",
				  .syscall = "recvfrom",
				  .unwind = CT_UNWIND_NO_THREAD});
}

static inline void case_gunicorn(struct world *w)
{
	w->capture.kernel_copies = 233326;
	w->capture.reuses = 8051;
	w->capture.witness_limits = "pages that the kernel copies on behalf of another process "
				    "(get_user_pages, such as ptrace or O_DIRECT).";
	master(w);
	worker(w, 4125, 1.2, 112512000, 12 * MIB);
	worker(w, 4126, 1.3, 112512000, 12 * MIB);
	worker(w, 4127, 1.3, 112512000 + 5 * MIB, 11 * MIB);
	serve_requests(w, 4125, 76400);
	serve_requests(w, 4126, 76367);
	serve_requests(w, 4127, 76341);
	w->source = "        for item in\tself.big_data:\n";
	w->source_line = 14;
}

static inline void case_empty(struct world *w)
{
	w->capture.seconds = 0.04;
	world__process(w, (struct process_facts){.pid = 77,
						 .ppid = 1,
						 .command = "true",
						 .started = START,
						 .exited = true,
						 .shared_at_fork = SNAPSHOT_UNKNOWN,
						 .shared_now = SNAPSHOT_UNKNOWN,
						 .new_bytes = SNAPSHOT_UNKNOWN});
	w->capture.kernel_copies = 0;
}

static inline void case_nothing_shared(struct world *w)
{
	master(w);
	for (uint32_t pid = 4125; pid < 4128; pid++)
		world__process(w, (struct process_facts){.pid = pid,
							 .ppid = 4121,
							 .command = "python3",
							 .python = "3.14.1",
							 .forked = true,
							 .started = START + pid,
							 .new_bytes = 400 * MIB});
	w->capture.kernel_copies = 0;
}

static inline void case_loaded_after_fork(struct world *w)
{
	master(w);
	for (uint32_t pid = 4125; pid < 4129; pid++) {
		world__process(w, (struct process_facts){.pid = pid,
							 .ppid = 4121,
							 .command = "gunicorn",
							 .python = "3.11.2",
							 .forked = true,
							 .started = START + pid,
							 .shared_at_fork = 11 * MIB,
							 .shared_now = 7 * MIB,
							 .new_bytes = (200 + pid % 7) * MIB});
		serve_requests(w, pid, 100);
	}
	w->capture.kernel_copies = 6024 + 37;
	w->capture.kernel_reason =
		"threads raced for the same pages: the kernel counts the loser too";
}

/* Everything that a traced program can name, as unfriendly as it can. */
static inline void case_hostile(struct world *w)
{
	char long_name[513];
	struct stack_fact *stack, *other;

	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[512] = '\0';
	world__process(w, (struct process_facts){.pid = 6,
						 .ppid = 1,
						 .command = "ev\033[2Jil;\n\"name\"",
						 .python = "3.12.0",
						 .forked = true,
						 .started = START,
						 .shared_at_fork = SNAPSHOT_UNKNOWN,
						 .shared_now = SNAPSHOT_UNKNOWN,
						 .new_bytes = SNAPSHOT_UNKNOWN});
	stack = STACK(w, CT_UNWIND_FRAME_UNREADABLE,
		      {"/tmp/\xe2\x80\xaegpj.py;\r\n\x7f", "f\xc2\x9b;31m<script>&\"'", 7, 0},
		      {NULL, NULL, 0, CT_MISSING_PROCESS_GONE},
		      {long_name, long_name, 4294967295, 0});
	other = STACK(w, CT_UNWIND_TOO_DEEP, {long_name, long_name, 1, 0});
	world__copy(w, 311,
		    (struct deed){.pid = 6,
				  .cause = CAUSE_REFCOUNT,
				  .certainty = CERTAINTY_PROVEN,
				  .detail = "inc",
				  .type = "int",
				  .stack = stack});
	world__copy(w, 211,
		    (struct deed){.pid = 6,
				  .cause = CAUSE_MUTATION,
				  .certainty = CERTAINTY_LIKELY,
				  .detail = "\033[0m",
				  .type = "a\xe2\x80\x8b`;\nb\xf0\x9f\x90\x84",
				  .stack = other});
	world__copy(w, 13,
		    (struct deed){.pid = 6,
				  .cause = CAUSE_UNKNOWN,
				  .symbol = "\x1b]8;;http://x\x07;\xff\xfe",
				  .unwind = CT_UNWIND_TSTATE_UNREADABLE});
	w->source = "x = '\033]0;owned\a'\t# \xe2\x80\xae";
}

static inline void case_losses(struct world *w)
{
	struct stack_fact *gone =
		STACK(w, CT_UNWIND_COMPLETE, {NULL, NULL, 0, CT_MISSING_PROCESS_GONE},
		      {"/srv/a.py", "<module>", 3, 0});

	w->capture.lost = 1203;
	w->capture.lost_by_reason[CT_LOST_RING_FULL] = 1200;
	w->capture.lost_by_reason[CT_LOST_BAD_RECORD] = 3;
	w->capture.kernel_copies = 1203 + 5 * 140;
	w->capture.kernel_reason = "threads that ended before the trace began are not in it";
	master(w);
	for (uint32_t pid = 5000; pid < 5014; pid++) {
		world__process(w, (struct process_facts){.pid = pid,
							 .ppid = 4121,
							 .command = "celery",
							 .python = pid % 2 ? "3.11.2" : "3.12.1",
							 .forked = true,
							 .exited = pid < 5004,
							 .started = START - SECOND + pid,
							 .shared_at_fork = SNAPSHOT_UNKNOWN,
							 .shared_now = SNAPSHOT_UNKNOWN,
							 .new_bytes = SNAPSHOT_UNKNOWN,
							 .lost = 50});
		world__copy(w, pid - 4980,
			    (struct deed){.pid = pid,
					  .cause = CAUSE_ALLOCATOR,
					  .certainty = CERTAINTY_LIKELY,
					  .detail = "pymalloc",
					  .symbol = "_PyObject_Malloc",
					  .stack = gone});
	}
}

static inline void case_unsupported(struct world *w)
{
	const char *problem = "Python 3.6 is older than 3.8, the oldest that cowtrace understands";

	for (uint32_t pid = 10; pid < 13; pid++) {
		world__process(w, (struct process_facts){.pid = pid,
							 .ppid = 10,
							 .command = "uwsgi",
							 .python_problem = problem,
							 .forked = pid > 10,
							 .started = START + pid,
							 .shared_at_fork = 40 * MIB,
							 .shared_now = 39 * MIB,
							 .new_bytes = 0});
		world__copy(w, pid,
			    (struct deed){.pid = pid,
					  .cause = CAUSE_UNKNOWN,
					  .symbol = "_PyEval_EvalFrameDefault",
					  .unwind = CT_UNWIND_NO_PYTHON,
					  .native = true});
	}
	w->capture.kernel_reason =
		"delay accounting is off; `sysctl kernel.task_delayacct=1` turns it on";
}

/* Explained, but there is something to say of it. */
static inline void case_noted(struct world *w)
{
	const char *note = "CPython 3.16.0a1 is newer than 3.15, the newest that this cowtrace "
			   "knows: its own offsets passed every check";

	w->capture.witness = "wp_page_copy";
	w->capture.witness_note = "counts calls, not copies";
	for (uint32_t pid = 10; pid < 12; pid++) {
		world__process(w, (struct process_facts){.pid = pid,
							 .ppid = 10,
							 .command = "python",
							 .python = "3.16.0a1",
							 .python_problem = note,
							 .forked = pid > 10,
							 .started = START + pid,
							 .shared_at_fork = 40 * MIB,
							 .shared_now = 39 * MIB,
							 .new_bytes = 0});
	}
	world__copy(w, 1,
		    (struct deed){.pid = 11,
				  .cause = CAUSE_REFCOUNT,
				  .certainty = CERTAINTY_PROVEN,
				  .type = "dict",
				  .symbol = "_PyEval_EvalFrameDefault",
				  .unwind = CT_UNWIND_COMPLETE});
}

static inline void case_no_python(struct world *w)
{
	world__process(w, (struct process_facts){.pid = 20,
						 .ppid = 1,
						 .command = "postgres",
						 .started = START,
						 .shared_at_fork = SNAPSHOT_UNKNOWN,
						 .shared_now = 3 * MIB,
						 .new_bytes = 9 * MIB});
	world__process(w, (struct process_facts){.pid = 21,
						 .ppid = 20,
						 .command = "postgres",
						 .forked = true,
						 .started = START + SECOND / 2,
						 .shared_at_fork = 12 * MIB,
						 .shared_now = 11 * MIB,
						 .new_bytes = MIB / 2});
	world__copy(w, 23,
		    (struct deed){.pid = 21,
				  .cause = CAUSE_STACK,
				  .certainty = CERTAINTY_LIKELY,
				  .symbol = "PostgresMain",
				  .unwind = CT_UNWIND_NO_PYTHON,
				  .native = true});
	world__copy(w, 1,
		    (struct deed){.pid = 99,
				  .cause = CAUSE_KERNEL_WRITE,
				  .certainty = CERTAINTY_PROVEN,
				  .origin = CT_ORIGIN_ZERO,
				  .detail = "read",
				  .syscall = "read",
				  .unwind = CT_UNWIND_NO_PYTHON,
				  .native = true});
	w->capture.kernel_copies = 24;
}

#include "golden_attached.h"
#include "golden_kinds.h"

/* A recording whose writer was killed. */
static inline void case_cut_off(struct world *w)
{
	w->capture.cut = "the tracing was ended before the recording was whole";
	master(w);
	worker(w, 4125, 1.2, 112512000, 12 * MIB);
	serve_requests(w, 4125, 100);
}

static const struct golden_case {
	const char *name;
	void (*build)(struct world *w);
} golden_cases[] = {
	{"gunicorn", case_gunicorn},
	{"empty", case_empty},
	{"nothing_shared", case_nothing_shared},
	{"loaded_after_fork", case_loaded_after_fork},
	{"hostile", case_hostile},
	{"losses", case_losses},
	{"unsupported", case_unsupported},
	{"noted", case_noted},
	{"no_python", case_no_python},
	{"cut_off", case_cut_off},
	{"kinds", case_kinds},
	{"attached", case_attached},
};

#endif
