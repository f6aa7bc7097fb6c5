/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernels, each with its commit. */
#ifndef COWTRACE_BPF_COMPAT_H
#define COWTRACE_BPF_COMPAT_H

/*
 * How far CPU's per-CPU area is from the address that a per-CPU pointer holds. No helper says it,
 * and kernels without CONFIG_KALLSYMS_ALL hide the variables that would. But a per-CPU map of ours
 * is such an area: where its value lies on that CPU, minus the per-CPU pointer that the map itself
 * keeps.
 */
static __always_inline bool percpu__offset(u32 cpu, u64 *offset)
{
	u32 key = 0;
	u64 *addresses = bpf_map_lookup_elem(&scratch_addresses, &key), pptr = 0;
	void *value = bpf_map_lookup_percpu_elem(&counters, &key, cpu);

	if (!addresses || !value)
		return false;
	/* Through memory, where a pointer becomes a number for the verifier. */
	((volatile u64 *)addresses)[0] = (u64)value;
	((volatile u64 *)addresses)[1] = (u64)&counters;
	if (bpf_probe_read_kernel(&pptr, sizeof(pptr),
				  (void *)((volatile u64 *)addresses)[1] +
					  bpf_core_field_offset(struct bpf_array, pptrs)))
		return false;
	*offset = ((volatile u64 *)addresses)[0] - pptr;
	return true;
}

/*
 * The anonymous pages of a process. Since 6.2 (f1a7941243c1) the counter has a part on each CPU, of
 * less than max(32, 2 * CPUs) pages: all that a small process has.
 */
static __always_inline u64 mm__anon_pages(struct mm_struct *mm)
{
	struct mm_struct___pre62 *old = (void *)mm;
	s64 pages, all[4] = {};
	s32 *parts;

	if (bpf_core_field_exists(old->rss_stat)) { /* a struct, and not yet an array */
		bpf_probe_read_kernel(all, sizeof(all), &old->rss_stat);
		return all[MM_ANONPAGES] < 0 ? 0 : all[MM_ANONPAGES];
	}
	pages = BPF_CORE_READ(mm, rss_stat[MM_ANONPAGES].count);
	parts = BPF_CORE_READ(mm, rss_stat[MM_ANONPAGES].counters);
	for (u32 cpu = 0; cpu < MAX_CPUS && cpu < cfg_cpus; cpu++) {
		u64 offset;
		s32 part = 0;

		if (!percpu__offset(cpu, &offset))
			break;
		bpf_probe_read_kernel(&part, sizeof(part), (void *)parts + offset);
		pages += part;
	}
	return pages < 0 ? 0 : pages;
}

/* The kernel's own count of copies of a task: since 6.1, and only with delay accounting on. */
static __always_inline bool task__wpcopy(struct task_struct *task, u32 *count)
{
	struct task_delay_info *delays = BPF_CORE_READ(task, delays);

	if (!bpf_core_field_exists(delays->wpcopy_count) || !delays)
		return false;
	*count = BPF_CORE_READ(delays, wpcopy_count);
	return true;
}

/*
 * The same of the current task, in each fault; -1: no count. Checked once: see task__plain, which
 * is not everywhere. What is rare asks a helper.
 */
#ifdef CT_LEGACY
static __always_inline s64 wpcopy__current(void)
#else
__noinline s64 wpcopy__current(void)
#endif
{
	struct task_struct *task = task__plain(task__current());
	struct task_delay_info *delays = PEEK(task, delays);

	if (!bpf_core_field_exists(delays->wpcopy_count) || !delays)
		return -1;
	return PEEK(delays, wpcopy_count);
}

static __always_inline bool current__wpcopy(u32 *count)
{
	s64 now = wpcopy__current();

	if (now < 0)
		return false;
	*count = now;
	return true;
}

/*
 * The page that stands for all of a compound page: only its mapping is one. A tail names it; since
 * the member is called compound_info, it may instead hold the mask that leads from the address of
 * the tail to it. A mask is a small negative number, and no struct page lies so high.
 */
static __always_inline u32 page__info_offset(void)
{
	struct page___info *renamed = NULL;

	(void)renamed;
	return bpf_core_field_exists(renamed->compound_info)
		       ? bpf_core_field_offset(struct page___info, compound_info)
		       : bpf_core_field_offset(struct page, compound_head);
}

/* info: what it has there. */
static __always_inline struct page *page__head(struct page *page, u64 info)
{
	if (!(info & 1))
		return page;
	return (void *)(info >= -1UL << 32 ? (u64)page & info : info - 1);
}

/* enum fault_flag since 5.14, da2f5eb3d344: for CO-RE another thing than a number. */
static __always_inline u32 fault__flags(struct vm_fault *vmf)
{
	struct vm_fault___pre514 *old = (void *)vmf;

	return bpf_core_field_exists(old->flags) ? BPF_CORE_READ(old, flags)
						 : BPF_CORE_READ(vmf, flags);
}

/*
 * The address, byte exact: since 5.18 (824ddc601adc). Before, vmf->address is that of the page, and
 * the programs at handle_mm_fault keep what it was called with in the event to be.
 */
static __always_inline u64 fault__address(struct vm_fault *vmf, const struct thread *t)
{
	return bpf_core_field_exists(vmf->real_address) ? BPF_CORE_READ(vmf, real_address)
							: t->event.addr;
}

#endif
