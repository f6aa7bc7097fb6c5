/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernels, each with its commit. */
#ifndef COWTRACE_BPF_COMPAT_H
#define COWTRACE_BPF_COMPAT_H

/*
 * The anonymous pages of a process. Since 6.2 (f1a7941243c1) the counter has per-CPU parts, each
 * less than max(32, 2 * CPUs) pages; they are left out, because no helper gives a program the
 * address of another CPU's part on every kernel. A fork fills the counter on one CPU: the error is
 * one part.
 */
static __always_inline u64 mm__anon_pages(struct mm_struct *mm)
{
	struct mm_struct___pre62 *old = (void *)mm;
	s64 pages;

	if (bpf_core_field_exists(old->rss_stat.count))
		pages = BPF_CORE_READ(old, rss_stat.count[MM_ANONPAGES]);
	else
		pages = BPF_CORE_READ(mm, rss_stat[MM_ANONPAGES].count);
	return pages < 0 ? 0 : pages;
}

/* The kernel's own count of copies of a task: since 6.1, and only with delay accounting on. */
static __always_inline bool task__wpcopy(struct task_struct *task, u32 *count)
{
	struct task_delay_info *delays = task->delays;

	if (!bpf_core_field_exists(delays->wpcopy_count) || !delays)
		return false;
	*count = delays->wpcopy_count;
	return true;
}

/* The user's registers at the entry into the kernel. Helper since 5.15, dd6e10fbd9fb. */
static __always_inline struct pt_regs *task__regs(struct task_struct *task)
{
	return (struct pt_regs *)bpf_task_pt_regs(task);
}

#endif
