/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/session.h"
#include "model/aggregate.h"
#include "model/snapshot.h"
#include "proc/memory.h"
#include "proc/tree.h"

/* A process costs some 20 us to look at: with these, less than one per cent of a core. */
#define SAMPLE_NS	  100000000ull
#define SAMPLE_PROCESS_NS 4000000ull

struct ledger {
	uint64_t next_sample; /* ns */
	uint64_t kernel_copies;
	bool kernel_unknown;
	uint64_t live_reuses;
};

static uint64_t subtract(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

int ledger__new(struct ledger **out)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return -ENOMEM;
	*out = ledger;
	return 0;
}

void ledger__free(struct ledger *ledger)
{
	free(ledger);
}

static void ledger__take(struct ledger *ledger, struct session *session, struct process *p)
{
	struct ct_proc counters;

	if (session__proc(session, p->pid, &counters))
		return;
	p->reuses += counters.reuses;
	p->lost += counters.lost;
	ledger->kernel_copies += counters.kernel_copies;
	ledger->kernel_unknown |= counters.kernel_unknown > 0;
	session__forget(session, p->pid);
}

void ledger__adopted(struct process *p)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	struct memory_sums sums;

	if (memory__read(p->pid, &sums))
		return; /* it has ended */
	p->anon_at_fork = sums.shared / page;
	p->private_before = (sums.anonymous - sums.shared) / page;
}

void ledger__exited(struct ledger *ledger, struct session *session, struct process *p)
{
	ledger__take(ledger, session, p);
}

static void on_live(void *ctx, const struct ct_live *live)
{
	struct ledger *ledger = ctx;

	ledger->kernel_copies += live->kernel_copies;
	ledger->kernel_unknown |= !live->known;
	ledger->live_reuses += live->reuses;
}

void ledger__living(struct ledger *ledger, struct session *session, struct tree *tree)
{
	for (struct process *p = tree__first(tree); p; p = p->next) {
		struct memory_sums sums;

		if (p->exited)
			continue;
		ledger__take(ledger, session, p);
		if (memory__read(p->pid, &sums))
			continue;
		p->anon_at_exit = sums.anonymous / sysconf(_SC_PAGESIZE);
		p->shared_at_end = sums.shared;
	}
	session__each_live(session, on_live, ledger);
}

/* Does it still have the memory that it began with, here or at its fork? */
static bool has_shared(const struct process *p)
{
	return p->forked_memory || (p->adopted && !p->exec_time && p->private_before != UINT64_MAX);
}

static uint64_t still_shared(const struct process *p, uint64_t page)
{
	/* At most: pages can also stop being shared because the others let go of them. */
	uint64_t left = subtract(p->anon_at_fork, p->copies + p->lost) * page;

	return p->shared_at_end < left ? p->shared_at_end : left;
}

static uint64_t began_with(const struct process *p)
{
	if (!has_shared(p))
		return 0;
	return p->anon_at_fork + (p->adopted ? p->private_before : 0);
}

/* Anonymous pages that it neither began with nor copied from a file or the page of zeros. */
static uint64_t new_pages(const struct process *p, uint64_t anon)
{
	return subtract(anon, began_with(p) + p->copies_new);
}

void ledger__sample(struct ledger *ledger, struct tree *tree, uint64_t now, ledger_sample sample,
		    void *ctx)
{
	uint64_t page = sysconf(_SC_PAGESIZE), anon, living = 0;

	if (now < ledger->next_sample)
		return;
	for (struct process *p = tree__present(tree); p; p = p->later) {
		if (p->exited)
			continue;
		living++;
		if (!memory__anon_pages(p->pid, &anon))
			sample(ctx, p->pid, now, new_pages(p, anon) * page);
	}
	ledger->next_sample = now + SAMPLE_NS + living * SAMPLE_PROCESS_NS;
}

void ledger__look(const struct ledger *ledger, struct session *session, const struct process *p,
		  struct process_facts *out)
{
	uint64_t page = sysconf(_SC_PAGESIZE), anon;
	struct ct_proc counters;

	ledger__fill(ledger, p, out);
	if (p->exited)
		return;
	if (!session__proc(session, p->pid, &counters)) {
		out->reuses += counters.reuses;
		out->lost += counters.lost;
	}
	if (memory__anon_pages(p->pid, &anon))
		return;
	out->new_bytes = new_pages(p, anon) * page;
	if (out->shared_now != SNAPSHOT_UNKNOWN && out->shared_now > anon * page)
		out->shared_now = anon * page; /* it has given some of it back */
}

void ledger__fill(const struct ledger *ledger, const struct process *p, struct process_facts *out)
{
	uint64_t page = sysconf(_SC_PAGESIZE);

	(void)ledger;
	out->reuses = p->reuses;
	out->lost = p->lost;
	/* An exec leaves nothing of what was shared; the command itself has no parent to share
	 * with. */
	out->shared_at_fork = p->exec_time && (p->parent || p->adopted) ? 0 : SNAPSHOT_UNKNOWN;
	out->shared_now = out->shared_at_fork;
	if (has_shared(p)) {
		out->shared_at_fork = p->anon_at_fork * page;
		out->shared_now = still_shared(p, page);
	}
	out->attached = p->adopted;
	out->private_before = SNAPSHOT_UNKNOWN;
	if (p->private_before != UINT64_MAX)
		out->private_before = p->private_before * page;
	out->new_bytes = SNAPSHOT_UNKNOWN;
	if (p->anon_at_exit != UINT64_MAX)
		out->new_bytes = new_pages(p, p->anon_at_exit) * page;
}

uint64_t ledger__kernel_copies(const struct ledger *ledger)
{
	return ledger->kernel_unknown ? SNAPSHOT_UNKNOWN : ledger->kernel_copies;
}

uint64_t ledger__live_reuses(const struct ledger *ledger)
{
	return ledger->live_reuses;
}
