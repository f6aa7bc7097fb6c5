/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The question and the answer of bpf/directmap.bpf.c. */
#ifndef COWTRACE_DIRECT_H
#define COWTRACE_DIRECT_H

#include <linux/types.h>

/*
 * Page frames beyond are left alone. The kernel's map of memory has room for at least twice as much
 * if a machine has no more than that, so a frame number that is none can not name anything beyond
 * it (arch/x86/mm/kaslr.c: its room is a multiple of 1 TiB).
 */
#define CT_DIRECT_MAX (1ULL << 39)
/* Where it can begin: at multiples of that, up to PUD_SIZE in kernel_randomize_memory(). */
#define CT_DIRECT_STEP	(1ULL << 30)
#define CT_DIRECT_WORDS 4

struct ct_direct {
	__u64 at[CT_DIRECT_WORDS];   /* words of the process that asks, each on a page of its own */
	__u64 want[CT_DIRECT_WORDS]; /* what they are */
	__u64 base;		     /* where the kernel's map of memory may begin */
	__u32 mm, pgd;		     /* offsets: in task_struct, in mm_struct */
	__u32 five_levels;	     /* page tables may have; else four */
	/* the answer */
	__u32 found;
	__u64 table; /* address of the upper page table of the process that asks */
};

_Static_assert(sizeof(struct ct_direct) == 96, "ct_direct layout");

#endif
