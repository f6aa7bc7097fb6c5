/* SPDX-License-Identifier: MIT */
/* The counts as aggregate.c keeps them and derive.c reads them. Private to these two. */
#ifndef COWTRACE_MODEL_COUNTS_H
#define COWTRACE_MODEL_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "model/advice.h"
#include "model/aggregate.h"
#include "model/cause.h"
#include "model/facts.h"
#include "model/history.h"
#include "model/pages.h"
#include "model/snapshot.h"

/* Counting has no way to go on without its tables: a copy that is not counted would be a lie. */
_Noreturn void counts__out_of_memory(void);
#define uthash_fatal(msg) counts__out_of_memory()
#include <uthash.h>

/* One process from its start to its end. Pids come back: older is an earlier process of this pid.
 */
struct ledger {
	struct process_facts facts;
	uint64_t copies, pages;
	uint32_t id;		       /* 1, 2, ... in the order of their appearance here */
	bool unnamed;		       /* it copied before anyone told about it */
	uint32_t row;		       /* in the processes of the newest snapshot */
	struct history_series *series; /* NULL: none yet, or the history has enough of them */
	struct ledger *older;
};

/* All processes of one pid. */
struct pid_slot {
	uint32_t pid;
	struct ledger *newest;
	UT_hash_handle hh;
};

/*
 * What makes copies alike. Strings and stacks are told apart by pointer: equal strings with
 * different pointers cost a row here and nothing in the snapshot, which compares texts.
 */
struct count_key {
	struct ledger *process;
	const struct ledger *victim; /* whose memory it is, NULL: its own, or not known */
	const struct stack_fact *stack;
	const char *detail, *type;
	const char *native; /* symbol or system call */
	uint8_t cause, certainty, origin;
	uint8_t unwind; /* without a Python stack: why */
	uint32_t victim_pid;
	uint32_t pad;
	uint16_t kernel, python;
};

_Static_assert(sizeof(struct count_key) == 6 * sizeof(void *) + 16, "hashed as words: no padding");

/* One kind of copy and how many there were. */
struct count {
	struct count_key key;
	uint64_t copies;
	uint64_t pages; /* that they took: more, if some were huge */
	const char *native_name;
	/* Of the last snapshot: */
	const struct frame_fact *leaf; /* the Python line, NULL: there is none */
	const char *native;	       /* the name that stands in for it, NULL with a line */
	uint8_t unwind;		       /* why there are no frames, 0: there are */
	UT_hash_handle hh;
};

/* What one snapshot owns. */
struct derived {
	struct snapshot view;
	struct snapshot_process *processes;
	struct snapshot_cause *causes;
	struct snapshot_type *types;
	struct snapshot_site *sites;
	struct snapshot_detail *details;
	struct snapshot_foreign *foreign;
	struct snapshot_sharers *sharers;
	struct snapshot_size *sizes;
	struct snapshot_stack *stacks;
	struct snapshot_frame *frames; /* of all stacks */
	struct snapshot_series *series;
	const uint64_t **by_cause;
	struct page *map;
	struct advice advice;
};

#define RECENT_PIDS 64 /* a power of two */
#define LAST_COUNTS 8

struct aggregate {
	struct intern *pool;
	struct count *counts;		    /* hash, in order of appearance */
	struct count *last[LAST_COUNTS];    /* of processes that copy in turn, by their id */
	const char *region, *region_name;   /* of the last copy: see region_name() */
	struct pid_slot *pids;		    /* hash */
	struct ledger *recent[RECENT_PIDS]; /* newest processes, by the low bits of their pid */
	uint32_t n_ledgers;
	uint64_t copies, pages, proven;
	size_t max_counts; /* 0: as many as there are */
	uint64_t folded;
	uint64_t uncounted;		  /* copies that the kernel's own count leaves out */
	uint64_t sharers[UINT16_MAX + 1]; /* copies of pages that a fork had shared, by how many
					   * shared them still; 0: not known */
	uint64_t orders[CT_MAX_ORDER + 1];
	uint64_t unwinds[CT_UNWIND_MAX];  /* copies in Python processes, by how their stack ends */
	uint64_t cut[CT_UNWIND_MAX];	  /* of these, the ones that have frames nevertheless */
	uint64_t missing[CT_MISSING_MAX]; /* copies whose leaf frame has no line */
	struct history *history;
	struct pages *map;
	struct derived *derived; /* the last snapshot */
};

/* Fills a new view of agg. 0 or -ENOMEM. */
int derive__new(const struct aggregate *agg, const struct snapshot_host *host,
		const struct snapshot_capture *capture, uint64_t start_time, struct derived **out);
/* Adds the advice. 0 or -ENOMEM. */
int derive__advise(struct derived *derived);
void derive__free(struct derived *derived);

/* derive_stacks.c: the part of it that fills stacks and frames. 0 or -ENOMEM. */
int stacks__make(const struct aggregate *agg, struct derived *out);
/* derive_kinds.c: the part of it that fills sharers and sizes. 0 or -ENOMEM. */
int kinds__make(const struct aggregate *agg, struct derived *out);
/* derive_history.c: the parts of it over time and addresses. 0 or -ENOMEM. */
int history__make(const struct aggregate *agg, struct derived *out);
/* derive_ledgers.c: the parts that fill processes, and what capture is counted here. */
int ledgers__make(const struct aggregate *agg, struct derived *out, uint64_t start);
void ledgers__fill_capture(const struct aggregate *agg, struct snapshot_capture *capture);

static inline int compare_number(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Texts, because equal strings may have been kept twice; NULL comes first. */
static inline int compare_name(const char *a, const char *b)
{
	if (a == b)
		return 0;
	if (!a || !b)
		return a ? 1 : -1;
	return strcmp(a, b);
}

#endif
