/* SPDX-License-Identifier: MIT */
/*
 * Can the programs read a process's memory by way of the kernel's own map of all memory? See
 * bpf/direct.bpf.h.
 */
#ifndef COWTRACE_CAPTURE_DIRECT_H
#define COWTRACE_CAPTURE_DIRECT_H

#include <stdbool.h>
#include <stdint.h>

struct direct {
	uint64_t base; /* where that map begins; 0: they can not */
	bool five_levels;
};

/*
 * Tried with words of this process. mm, pgd: offsets in task_struct and mm_struct. They can not
 * before Linux 6.2, on arm64, with more than 512 GiB of memory, and where page tables name memory
 * otherwise than the kernel does (encrypted memory, Xen).
 */
struct direct direct__look(uint32_t mm, uint32_t pgd);

#endif
