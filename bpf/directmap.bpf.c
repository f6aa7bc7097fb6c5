// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the kernel's map of all memory begins, which no symbol tells (page_offset_base, without
 * CONFIG_KALLSYMS_ALL): it is tried, from the address of the process's own page table downwards,
 * which lies in it, until words that the process knows are read right.
 */
#include "kernel.h"
#include <cowtrace/direct.h>
#include "direct.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct ct_direct direct = {}; /* in .data, which the daemon maps */
volatile __u64 table = 0;     /* read again from there, it is a number, and can be reckoned with */

#ifdef __TARGET_ARCH_x86
/* Not static: verified once. */
__noinline bool base__reads(u64 base, u64 pgd, u64 at, u64 want, bool five)
{
	struct span s;

	return span__find(&s, base, table__find(base, five, pgd, at), at) &&
	       span__u64(&s, 0) == want && span__held(&s);
}

static __always_inline bool base__fits(u64 base, u64 pgd, bool five)
{
	for (u32 i = 0; i < CT_DIRECT_WORDS; i++)
		if (!base__reads(base, pgd, direct.at[i], direct.want[i], five))
			return false;
	return true;
}

static __always_inline bool base__find(u64 pgd, bool five)
{
	u64 base = pgd & ~(CT_DIRECT_STEP - 1);

	for (u32 i = 0; i < CT_DIRECT_MAX / CT_DIRECT_STEP; i++, base -= CT_DIRECT_STEP) {
		if (!base__fits(base, pgd, five))
			continue;
		direct.base = base;
		direct.five_levels = five;
		return true;
	}
	return false;
}

#else
static __always_inline bool base__find(u64 pgd, bool five)
{
	return false;
}
#endif

SEC("syscall")
int find_base(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	table = (u64)task->mm->pgd;
	if (!base__find(table, false))
		base__find(table, true);
	return 0;
}
