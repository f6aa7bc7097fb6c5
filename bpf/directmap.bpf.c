// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does the kernel's map of all memory begin there? No symbol tells it (page_offset_base, without
 * CONFIG_KALLSYMS_ALL): it is tried, with words that the process knows. The daemon asks from the
 * address of its own page table downwards, which lies in that map: a loop here is a long way for
 * the verifier. This is needed once, and reads by a helper, and what it needs to know of the kernel
 * it is told: so libbpf need not read the kernel's types for it, which takes longer than all else.
 */
#include "kernel.h"
#include <cowtrace/direct.h>
#include "direct.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct ct_direct direct = {}; /* in .data, which the daemon maps */

#ifdef __TARGET_ARCH_x86
/* Not static: verified once. */
__noinline bool base__reads(u64 at, u64 want)
{
	u64 base = direct.base;
	struct span s;

	return span__find(&s, base, table__find(base, direct.five_levels, direct.table, at), at) &&
	       span__u64(&s, 0) == want && span__held(&s);
}

SEC("syscall")
int try_base(void *ctx)
{
	u64 mm = kernel__u64(bpf_get_current_task() + direct.mm);

	direct.table = kernel__u64(mm + direct.pgd);
	direct.found = true;
	for (u32 i = 0; i < CT_DIRECT_WORDS; i++)
		if (!base__reads(direct.at[i], direct.want[i]))
			direct.found = false;
	return 0;
}
#else /* arm64: it is not asked */
SEC("syscall")
int try_base(void *ctx)
{
	return 0;
}
#endif
