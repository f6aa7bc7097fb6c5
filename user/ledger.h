/* SPDX-License-Identifier: MIT */
/* The account of each process: what it shared when it was forked, what it has copied since, what it
 * added; and the kernel's own count, to close against. */
#ifndef COWTRACE_LEDGER_H
#define COWTRACE_LEDGER_H

#include <stdint.h>

struct aggregate;
struct ledger;
struct process;
struct process_facts;
struct session;
struct tree;

/* What a process had newly filled at a time. */
typedef void (*ledger_sample)(void *ctx, uint32_t pid, uint64_t time, uint64_t new_bytes);

/* 0 or -ENOMEM. */
int ledger__new(struct ledger **out);
void ledger__free(struct ledger *ledger);

/* Cowtrace has attached to a process: what it shares, and what it has of its own already. */
void ledger__adopted(struct process *p);
/* A process has ended: takes its counters from the kernel side. */
void ledger__exited(struct ledger *ledger, struct session *session, struct process *p);
/* The same for those that live at the end of the trace; reads how much they still share. */
void ledger__living(struct ledger *ledger, struct session *session, struct tree *tree);

/* Now and then: how much new memory each living process has, for the charts. */
void ledger__sample(struct ledger *ledger, struct tree *tree, uint64_t now, ledger_sample sample,
		    void *ctx);

void ledger__fill(const struct ledger *ledger, const struct process *p, struct process_facts *out);
/* The same of a process that may live, as it is now. Takes no lock of it: what is shared is what it
 * has not copied, at most; what is new is as coarse as memory__anon_pages. */
void ledger__look(const struct ledger *ledger, struct session *session, const struct process *p,
		  struct process_facts *out);
/* SNAPSHOT_UNKNOWN: the kernel kept no count for at least one thread. */
uint64_t ledger__kernel_copies(const struct ledger *ledger);
/* Reuses that were the last fault of a living thread. */
uint64_t ledger__live_reuses(const struct ledger *ledger);

#endif
