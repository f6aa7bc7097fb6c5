/* SPDX-License-Identifier: MIT */
/*
 * What changed between two runs of the same program: an older one, the baseline, and a newer one.
 * Runs have different numbers of workers, so what is compared is bytes per worker: those of all
 * processes, divided by the number of workers, which are the processes of one command that began
 * with shared pages (see compare_workers.c). A run without any is taken as one. Plain, sorted data,
 * like a snapshot, of which it is a part.
 */
#ifndef COWTRACE_MODEL_COMPARE_H
#define COWTRACE_MODEL_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot;
struct snapshot_stack;

/* What one of the two runs has of something. */
struct comparison_side {
	uint64_t copies, bytes, per_worker; /* the last in bytes, rounded */
};

enum comparison_state {
	COMPARISON_SAME, /* less than 1 % of the larger one apart */
	COMPARISON_MORE,
	COMPARISON_LESS,
	COMPARISON_APPEARED,
	COMPARISON_GONE,
};

/* A row of any of the tables; NULL and 0: what its table does not tell apart. */
struct comparison_row {
	const char *cause, *type; /* type of a site: NULL if there is none */
	const char *file;	  /* of a site; NULL: no Python line */
	const char *function;	  /* of a site; without a file a native symbol */
	uint32_t line;
	const char *source;	/* text of that line, NULL if not at hand */
	const char *older_file; /* where the site was in the older run, if elsewhere, or NULL */
	uint32_t older_line;	/* with it */
	const char *command;	/* of processes */
	bool worker;		/* they began with shared pages */
	struct comparison_side older, newer;
	uint64_t older_processes, newer_processes; /* of processes: how many */
	int64_t change;				   /* bytes per worker */
	uint8_t state;				   /* enum comparison_state */
	/* Not SAME, and at least 1 % of all that was copied: less is the weather. */
	bool significant;
};

struct comparison_table {
	size_t n;
	const struct comparison_row *rows; /* the largest change first, ties by size, then name */
};

/* Why the runs differ before any copy is looked at. */
struct comparison_remark {
	bool unfair; /* so much that the difference may come from it */
	const char *text;
};

struct comparison {
	const struct snapshot *older; /* the newer is the one that this belongs to */
	const char *older_name;	      /* of its file, to be shown */
	uint64_t older_workers, newer_workers;
	const char *older_worker, *newer_worker; /* what they are called; NULL: there are none */
	struct comparison_row total;
	bool any_significant; /* in the total or in a row of any table */
	struct comparison_table causes, types, sites, processes;
	size_t n_remarks;
	const struct comparison_remark *remarks; /* the unfair ones first */

	/*
	 * The stacks of both, each once, as places of the newer run; process: a row of processes,
	 * pid: 0, origin and certainty: NULL, copies and pages: the newer's. With what they weigh.
	 */
	size_t n_stacks;
	const struct snapshot_stack *stacks;
	const struct comparison_weight {
		struct comparison_side older, newer;
	} * weights;
};

/* name: of the older's file. Both snapshots must outlive the comparison. 0 or -ENOMEM. */
int comparison__new(const struct snapshot *older, const struct snapshot *newer, const char *name,
		    struct comparison **out);
void comparison__free(struct comparison *comparison);

/* Bytes per worker of either run. */
uint64_t comparison__per_worker(uint64_t bytes, uint64_t workers);
/* Bytes of lost copies, by reason, of one run, per worker; comparison may be NULL: of the snapshot,
 * in all. */
uint64_t comparison__lost(const struct snapshot *snap, const struct comparison *comparison,
			  unsigned int reason, bool newer);
/* Of two such numbers. */
enum comparison_state comparison__state(uint64_t older, uint64_t newer);
/* "same", "more", "less", "appeared", "gone" */
const char *comparison__state_name(enum comparison_state state);

#endif
