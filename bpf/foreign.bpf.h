/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies for which there is no page fault, seen by tracepoints: the kernel looks a page up to write
 * to it (process_vm_writev, ptrace, /proc/PID/mem, O_DIRECT), or to pin it. It then calls
 * do_wp_page itself, inside the syscall: the stack of the kernel shows it when the page of the copy
 * is allocated. So that not every page of the page cache needs that look, only those are looked at
 * that are asked for exactly as the pages of copies before. A page of zeroes is not among them.
 */
#ifndef COWTRACE_BPF_FOREIGN_H
#define COWTRACE_BPF_FOREIGN_H

/* Pinned pages are not movable (PF_MEMALLOC_PIN), and are copies all the same. */
static __always_inline bool foreign__plausible(struct thread *t, struct pt_regs *regs, u32 order,
					       u64 gfp)
{
	return cfg_cold && t->copy_gfp && !order &&
	       !(((u32)gfp ^ t->copy_gfp) & ~GFP_MOVABLE_BIT) && regs__syscall(regs) != -1;
}

/* Only these calls name the process; in a container, by a number that means nothing outside. */
static __always_inline u32 foreign__victim(struct task_struct *task, const struct pt_regs *regs)
{
	s64 call = regs__syscall(regs);
	u32 pid = call == SYS_PTRACE ? regs__second(regs) : regs__first(regs);

	if (call != SYS_PTRACE && call != SYS_PROCESS_VM_WRITEV && call != SYS_PROCESS_VM_READV)
		return 0;
	if (BPF_CORE_READ(task, thread_pid, level)) /* rare: see wpcopy__current */
		return CT_VICTIM_UNKNOWN;
	return pid == (u32)PEEK(task, tgid) ? 0 : pid;
}

static __always_inline enum alloc foreign__alloc(void *ctx, struct thread *t,
						 struct task_struct *task, struct page *page,
						 u32 order, u64 gfp)
{
	struct pt_regs *regs = task__regs(task);
	s64 call;

	if (!foreign__plausible(t, regs, order, gfp))
		return ALLOC_OTHER;
	if (!kstack__has_copy(ctx, t))
		return ALLOC_OTHER;
	t->last_kind = PENDING_FOREIGN;
	t->last_page = (u64)page;
	thread__layout(t, PEEK(task, tgid));
	evidence__take_rare(t, 0, true);
	call = regs__syscall(regs);
	t->event.sharers = 0;
	t->event.victim = foreign__victim(task, regs);
	if (call == SYS_PROCESS_VM_READV)
		t->event.flags |= CT_F_UNSHARE;
	t->event.origin = CT_ORIGIN_FORK;
	return ALLOC_COPY;
}

#endif
