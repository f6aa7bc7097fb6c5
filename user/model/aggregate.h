/* SPDX-License-Identifier: MIT */
/*
 * Counts: by process, stack, cause, type and site, and the ledger of each process. Fed with facts
 * and verdicts, live or from a file; knows nothing of where they came from.
 */
#ifndef COWTRACE_MODEL_AGGREGATE_H
#define COWTRACE_MODEL_AGGREGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aggregate;
struct fault_facts;
struct intern;
struct snapshot;
struct snapshot_capture;
struct snapshot_host;
struct verdict;

/* What is known of a process; strings are interned. The ledger is in bytes, SNAPSHOT_UNKNOWN
 * allowed. */
struct process_facts {
	uint32_t pid, ppid;
	const char *command, *python, *python_problem;
	bool forked; /* from a process of the tree */
	bool exited;
	bool group; /* no process but a service of several: pid is its number, which is not shown */
	bool attached;	  /* it ran before: shared_at_fork is what was shared then */
	uint64_t started; /* ns, CLOCK_MONOTONIC */
	uint64_t shared_at_fork, shared_now, new_bytes;
	uint64_t private_before; /* when attached */
	uint64_t lost, reuses;
};

/* 0 or -ENOMEM. The pool must outlive the aggregate. */
int aggregate__new(struct intern *pool, struct aggregate **out);
void aggregate__free(struct aggregate *agg);

/*
 * For those who count for months: no more than so many different kinds of copies are told apart;
 * the rest is counted by process, cause and origin only. Nor is there a map of addresses. To be
 * called before anything is counted.
 */
void aggregate__bound(struct aggregate *agg, size_t max_counts);
/* How many copies found no room of their own. */
uint64_t aggregate__folded(const struct aggregate *agg);

/* A copy of that address will be added soon: the map of pages is larger than the caches of a CPU.
 */
void aggregate__expect(const struct aggregate *agg, uint64_t addr);

/* One copy. Returns the number of the process that it was counted for: 1, 2, ... in the order in
 * which processes became known, by a copy or by aggregate__process(). */
uint32_t aggregate__add(struct aggregate *agg, const struct fault_facts *facts,
			const struct verdict *verdict);
/* Adds or updates a process, keyed by pid and started (pids are reused). Returns its number. */
uint32_t aggregate__process(struct aggregate *agg, const struct process_facts *process);
/* How much new memory a process had at a moment; for the charts. */
uint32_t aggregate__sample(struct aggregate *agg, uint32_t pid, uint64_t time, uint64_t new_bytes);
uint64_t aggregate__copies(const struct aggregate *agg);
uint64_t aggregate__pages(const struct aggregate *agg); /* that these took */
uint64_t aggregate__process_copies(const struct aggregate *agg, uint32_t pid);

/*
 * A view of the counts, valid until the next call on agg. capture: as filled by the caller, but for
 * copies, proven, stacks_* which are counted here. Frees nothing of the caller's.
 */
int aggregate__snapshot(struct aggregate *agg, const struct snapshot_host *host,
			const struct snapshot_capture *capture, uint64_t start_time,
			const struct snapshot **out);

/* Sets the text of a source line of a site of the last snapshot (index into sites). */
void aggregate__set_source(struct aggregate *agg, size_t site, const char *source);

/* Adds the advice to the last snapshot: it may go by the text of lines, so their sources come
 * first. 0 or -ENOMEM. */
int aggregate__advise(struct aggregate *agg);

#endif
