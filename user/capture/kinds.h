/* SPDX-License-Identifier: MIT */
/*
 * The ways to break sharing besides a write to a small page that is mapped. Each is seen by
 * programs of its own, or not at all: that differs from machine to machine, and the report says so.
 */
#ifndef COWTRACE_CAPTURE_KINDS_H
#define COWTRACE_CAPTURE_KINDS_H

#include <stdint.h>

struct cowtrace;
struct kernel;
struct witness;

enum kind {
	KIND_COLD,	/* the first write to a page of a private file mapping */
	KIND_HUGE_ZERO, /* the huge page of zeroes, where the kernel copies it in one piece */
	KIND_HUGETLB,
	KIND_FOREIGN, /* through get_user_pages: no page fault, often another process's memory */
	KIND_PLACE,   /* ... and where */
	KIND_KSM,     /* that a page was merged by KSM */
	KIND_SHARERS, /* how many shared a page */
	KIND_MAX,
};

struct kinds {
	struct kernel *kernel; /* from prepare to attach */
	uint32_t seen;	       /* bit: enum kind */
	uint32_t probed; /* ... by kprobes: fexit takes no function of more than six arguments */
	/* What is not seen, as nouns for the report, or ""; and why the kernel's own count may
	 * therefore be higher, or "". */
	char limits[768], beyond[512];
};

/* Before load: adds the programs that this kernel takes to those of the witness. */
void kinds__prepare(struct kinds *k, struct kernel *kernel, const struct witness *w,
		    struct cowtrace *skel);
/* After load: attaches them; what can not be attached is not seen. */
void kinds__attach(struct kinds *k, const struct witness *w, struct cowtrace *skel);

#endif
