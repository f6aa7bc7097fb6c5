/* SPDX-License-Identifier: MIT */
/*
 * What a sink sees: plain, sorted data, nothing of processes, ELF or BPF. Strings are valid UTF-8
 * but may hold control characters and quotes: escaping is the business of each sink. Byte counts
 * are bytes. Arrays are sorted by copies, most first, ties by name, so that equal input gives equal
 * bytes.
 */
#ifndef COWTRACE_MODEL_SNAPSHOT_H
#define COWTRACE_MODEL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cowtrace/abi.h>

/* A number that could not be had: null in JSON, "?" in text. */
#define SNAPSHOT_UNKNOWN UINT64_MAX

/* How many sites, the first ones, have their line quoted; the text shows far fewer. */
#define SNAPSHOT_SOURCES 200

struct comparison;

struct snapshot_host {
	const char *kernel, *machine;
	uint32_t page_size;
	const char *version; /* of the cowtrace that traced; NULL: this one */
};

struct snapshot_capture {
	const char *witness;
	/* What this witness can not see on this machine, a sentence, or "". */
	const char *witness_limits;
	/* What its numbers mean if they are not simply copies: a verb and what follows, or NULL. */
	const char *witness_note;
	uint64_t wall_time; /* of the start, ns since 1970; 0: not known */
	double seconds;
	uint64_t copies, pages, reuses, lost, proven;
	uint64_t lost_by_reason[CT_LOST_MAX];
	uint64_t kernel_copies;	       /* SNAPSHOT_UNKNOWN: the kernel kept no count */
	const char *kernel_reason;     /* why not, or why it differs, if that is known; NULL */
	const char *cut;	       /* why a recording ends before the tracing; NULL: it does
					* not */
	uint64_t uncounted;	       /* copies that the kernel's count leaves out */
	const char *kernel_beyond;     /* what it has that the witness does not see, or NULL */
	uint64_t stacks_cut;	       /* copies whose Python stack lacks its outermost frames */
	const char *stacks_cut_reason; /* help text of the most frequent reason, or NULL */
	uint64_t stacks_missing;       /* copies in a Python process whose line could not be had */
	const char *stacks_missing_reason; /* help text of the most frequent reason, or NULL */
};

struct snapshot_process {
	uint32_t pid, ppid; /* pid 0: no process but a service of several */
	const char *command;
	const char *python;	    /* "3.11.2", NULL: no Python, or see python_problem */
	const char *python_problem; /* "CPython 3.7 is older than ..."; with python: a note */
	bool forked;	  /* by a process of the traced tree; else it is the command itself */
	double forked_at; /* seconds since the start; negative: before; 0 for the command */
	bool exited;
	/* It ran when cowtrace attached: shared_at_fork and new_bytes are counted from then. */
	bool attached;
	uint64_t copies, pages, lost, reuses;
	uint64_t shared_at_fork, shared_now, new_bytes; /* bytes or SNAPSHOT_UNKNOWN */
	uint64_t private_before; /* attached: what was its own already; else SNAPSHOT_UNKNOWN */
	uint32_t children;	 /* direct, traced */
};

/* copies, here and below: how many; pages: what they took, more if some were huge pages. */
struct snapshot_cause {
	const char *cause, *help, *detail, *origin, *certainty;
	uint64_t copies, pages;
	uint32_t processes; /* how many processes broke sharing this way */
};

struct snapshot_type {
	const char *type, *cause;
	uint64_t copies, pages;
};

struct snapshot_site {
	const char *file; /* NULL: no Python line; function is then the native symbol */
	const char *function;
	uint32_t line;
	const char *source; /* text of that line, NULL if not at hand */
	const char *cause;
	const char *type; /* NULL: none */
	uint64_t copies, pages;
	uint32_t processes; /* how many processes broke sharing there */
};

/* A site with all that the causes tell apart: the finest table. */
struct snapshot_detail {
	const char *file; /* NULL: no Python line; function is then the native symbol */
	const char *function;
	uint32_t line;
	const char *cause, *detail, *origin, *certainty;
	const char *type; /* NULL: none */
	uint64_t copies, pages;
};

/* Copies in the memory of another process than the one that wrote: by ptrace and its like. */
struct snapshot_foreign {
	uint32_t pid;
	const char *command;
	uint32_t victim;	    /* pid, 0: not known */
	const char *victim_command; /* NULL: not traced */
	const char *how;	    /* the system call */
	uint64_t copies, pages;
};

/* Of the pages that a fork had shared: how many were mapped by so many page tables when copied. */
struct snapshot_sharers {
	uint32_t sharers;
	uint64_t copies;
};

/* How many copies were of pages of this size. */
struct snapshot_size {
	uint64_t bytes, copies;
};

struct snapshot_frame {
	const char *file,
		*function; /* file NULL: function is a native symbol or a reason in brackets */
	uint32_t line;
};

/* All copies of one process with the same stack and verdict. */
struct snapshot_stack {
	uint32_t process; /* index into processes */
	uint32_t pid;	  /* 0: as in the process */
	const char *command;
	const char *cause, *type; /* type may be NULL */
	const char *origin, *certainty;
	/* Of those causes for which it tells who wrote, for the advice; else "". */
	const char *detail;
	uint32_t n;
	const struct snapshot_frame *frames; /* root first */
	uint64_t copies, pages;
};

/* One process over time: see struct snapshot_history. */
struct snapshot_series {
	uint32_t process;	/* index into processes */
	const uint64_t *copied; /* pages in each bucket */
	const uint64_t *fresh;	/* new bytes that it had then, SNAPSHOT_UNKNOWN: not measured */
};

/* Buckets of equal width from the start of the trace on. */
struct snapshot_history {
	double seconds; /* width of a bucket */
	uint32_t n;	/* buckets that were reached */
	size_t n_causes, n_series;
	const uint64_t *const *by_cause; /* of each enum cause: pages in each bucket */
	const struct snapshot_series *series;
	uint64_t uncharted; /* processes that have no series: only the first ones do */
};

/* The pages that were copied, by address: see model/pages.h. */
struct snapshot_map {
	size_t n, n_names;
	const struct page *pages;
	const char *const *names; /* of the mappings they lie in */
	uint64_t beyond; /* copies of pages that are not on it: it has room for a million */
};

struct snapshot_advice {
	const char *rule, *text;
	uint64_t bytes_per_process; /* upper bound */
};

struct snapshot {
	const char *version; /* of cowtrace */
	struct snapshot_host host;
	struct snapshot_capture capture;
	uint64_t start_time; /* ns, CLOCK_MONOTONIC */
	size_t n_processes, n_causes, n_types, n_sites, n_details, n_stacks, n_advice;
	size_t n_foreign, n_sharers, n_sizes;
	const struct snapshot_process *processes; /* in order of appearance */
	const struct snapshot_cause *causes;
	const struct snapshot_type *types;
	const struct snapshot_site *sites;
	const struct snapshot_detail *details;
	const struct snapshot_stack *stacks;
	const struct snapshot_advice *advice;
	const struct snapshot_foreign *foreign;
	const struct snapshot_sharers *sharers; /* by number; empty: no witness tells */
	const struct snapshot_size *sizes;	/* by size */
	struct snapshot_history history;
	struct snapshot_map map;
	const struct comparison *comparison; /* with an older run: model/compare.h; NULL: none */
};

/* It began with pages of another one, or had such when cowtrace attached to it. */
static inline bool snapshot__is_sharer(const struct snapshot_process *p)
{
	return (p->forked || p->attached) && p->shared_at_fork;
}

/* Nothing could be un-shared. */
static inline bool snapshot__nothing_shared(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->n_processes; i++)
		if (snapshot__is_sharer(&snap->processes[i]))
			return false;
	return snap->n_processes > 0 && !snap->capture.lost;
}

static inline bool snapshot__any_attached(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->n_processes; i++)
		if (snap->processes[i].attached)
			return true;
	return false;
}

/* Of pages, not of copies: a copy can be a huge page. */
static inline uint64_t snapshot__bytes(const struct snapshot *snap, uint64_t pages)
{
	return pages * snap->host.page_size;
}

#endif
