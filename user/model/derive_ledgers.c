/* SPDX-License-Identifier: MIT */
/* The processes of a snapshot, and the totals that belong to no table. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/counts.h"

/* --- processes --------------------------------------------------------------- */

static int order_processes(const void *a, const void *b)
{
	const struct ledger *x = *(const struct ledger *const *)a;
	const struct ledger *y = *(const struct ledger *const *)b;

	return compare_number(x->facts.started, y->facts.started)
		       ?: compare_number(x->facts.pid, y->facts.pid);
}

static double seconds_since(uint64_t time, uint64_t start)
{
	return time >= start ? (double)(time - start) / 1e9 : -((double)(start - time) / 1e9);
}

static void fill_process(struct snapshot_process *row, const struct ledger *ledger, uint64_t start)
{
	const struct process_facts *facts = &ledger->facts;
	bool dated = facts->forked && facts->started;

	*row = (struct snapshot_process){
		.pid = facts->group ? 0 : facts->pid,
		.ppid = facts->ppid,
		.command = facts->command,
		.python = facts->python,
		.python_problem = facts->python_problem,
		.forked = facts->forked,
		.forked_at = dated ? seconds_since(facts->started, start) : 0,
		.exited = facts->exited,
		.attached = facts->attached,
		.copies = ledger->copies,
		.pages = ledger->pages,
		.lost = facts->lost,
		.reuses = facts->reuses,
		.shared_at_fork = facts->shared_at_fork,
		.shared_now = facts->shared_now,
		.new_bytes = facts->new_bytes,
		.private_before = facts->attached ? facts->private_before : SNAPSHOT_UNKNOWN,
	};
}

/* The row of the process that had this pid when the child was forked; rows are in order of start.
 */
static void count_child(struct snapshot_process *rows, size_t child)
{
	for (size_t i = child; i-- > 0;) {
		if (rows[i].pid == rows[child].ppid) {
			rows[i].children++;
			return;
		}
	}
}

int ledgers__make(const struct aggregate *agg, struct derived *out, uint64_t start)
{
	_free_ struct ledger **ledgers = calloc(agg->n_ledgers + 1, sizeof(*ledgers));
	size_t n = 0;

	out->processes = calloc(agg->n_ledgers + 1, sizeof(*out->processes));
	if (!ledgers || !out->processes)
		return -ENOMEM;
	for (struct pid_slot *slot = agg->pids; slot; slot = slot->hh.next)
		for (struct ledger *l = slot->newest; l; l = l->older)
			ledgers[n++] = l;
	qsort(ledgers, n, sizeof(*ledgers), order_processes);
	for (size_t i = 0; i < n; i++) {
		fill_process(&out->processes[i], ledgers[i], start);
		ledgers[i]->row = (uint32_t)i;
		if (ledgers[i]->facts.forked)
			count_child(out->processes, i);
	}
	out->view.n_processes = n;
	return 0;
}

/* --- the head ---------------------------------------------------------------- */

static const char *const unwind_help[] = {
#define CT_UNWIND(id, name, help) [CT_UNWIND_##id] = help,
#include <cowtrace/reasons.def>
};

static const char *const missing_help[] = {
#define CT_MISSING(id, name, help) [CT_MISSING_##id] = help,
#include <cowtrace/reasons.def>
};

/* Adds up n counters; the help text of the largest one goes to *reason if it beats *most. */
static uint64_t sum_reasons(const uint64_t *counters, const char *const *help, size_t n,
			    uint64_t *most, const char **reason)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += counters[i];
		if (counters[i] > *most) {
			*most = counters[i];
			*reason = help[i];
		}
	}
	return sum;
}

/* A thread that runs no Python lacks nothing; one whose state can not be read does. */
static bool is_failure(size_t unwind)
{
	return unwind == CT_UNWIND_TSTATE_UNREADABLE || unwind == CT_UNWIND_FRAME_UNREADABLE ||
	       unwind == CT_UNWIND_STACK_LOST;
}

void ledgers__fill_capture(const struct aggregate *agg, struct snapshot_capture *capture)
{
	uint64_t cut[CT_UNWIND_MAX], failed[CT_UNWIND_MAX], most = 0;

	capture->copies = agg->copies;
	capture->pages = agg->pages;
	capture->uncounted = agg->uncounted;
	capture->proven = agg->proven;
	for (size_t i = 0; i < CT_UNWIND_MAX; i++) {
		cut[i] = i == CT_UNWIND_COMPLETE ? 0 : agg->cut[i];
		failed[i] = is_failure(i) ? agg->unwinds[i] : 0;
	}
	capture->stacks_cut_reason = capture->stacks_missing_reason = NULL;
	capture->stacks_cut =
		sum_reasons(cut, unwind_help, CT_UNWIND_MAX, &most, &capture->stacks_cut_reason);
	most = 0;
	capture->stacks_missing = sum_reasons(failed, unwind_help, CT_UNWIND_MAX, &most,
					      &capture->stacks_missing_reason) +
				  sum_reasons(agg->missing, missing_help, CT_MISSING_MAX, &most,
					      &capture->stacks_missing_reason);
}
