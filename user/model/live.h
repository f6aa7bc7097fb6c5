/* SPDX-License-Identifier: MIT */
/*
 * What happens now: copies by process, site and cause, those of the last seconds beside those since
 * the start. Fed with facts and verdicts as the aggregate is, but bounded: of sites and causes only
 * so many have rows, the rest is one row; processes that have ended are added up. A second is a
 * tick; how many copies a row had in each of the last ones is kept, so that sums over seconds are
 * exact.
 */
#ifndef COWTRACE_MODEL_LIVE_H
#define COWTRACE_MODEL_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/aggregate.h"

struct live;

/* How many ticks can be looked back; a power of two. */
#define LIVE_TICKS 64
/* Rows of sites, and of causes. */
#define LIVE_ROWS 4096

struct live_sum {
	uint64_t copies, pages;
};

struct live_counts {
	struct live_sum total;	/* since the start */
	struct live_sum recent; /* in the ticks that are looked at */
};

struct live_process {
	uint32_t number;
	uint32_t children; /* living ones that it has forked */
	struct process_facts facts;
	struct live_counts n;
};

/* A site; or a cause, which has neither file nor function. */
struct live_row {
	const char *file; /* NULL: no Python line; function is then the native symbol */
	const char *function;
	uint32_t line;
	bool kernel; /* function is a system call, NULL: an exception */
	uint8_t cause;
	const char *type; /* NULL: none */
	struct live_counts n;
};

struct live_table {
	const struct live_row *rows; /* in no order */
	size_t n;
	struct live_counts others; /* of rows that there was no room for */
	uint64_t n_others;	   /* how many these were */
};

struct live_view {
	double seconds; /* that the ticks took which are looked at */
	struct live_counts n;
	const struct live_process *processes; /* in order of appearance */
	size_t n_processes;
	struct live_counts ended; /* of processes that have no row any longer */
	uint64_t n_ended;
	struct live_table sites, causes;
};

/* start: ns, when the first tick begins. 0 or -ENOMEM. */
int live__new(uint64_t start, struct live **out);
void live__free(struct live *live);

/* One copy of the process with that number. */
void live__add(struct live *live, uint32_t number, const struct fault_facts *facts,
	       const struct verdict *verdict);
/* What is known of a process by now; number: as aggregate__process. */
void live__process(struct live *live, uint32_t number, const struct process_facts *facts);
/* A tick ends now (ns): it can be looked at, what comes from here on belongs to the next. */
void live__tick(struct live *live, uint64_t now);

/* The last so many ticks that have ended: at most LIVE_TICKS - 1, and no more than there were.
 * Valid until the next call on live. 0 or -ENOMEM. */
int live__view(struct live *live, unsigned int ticks, const struct live_view **out);

#endif
