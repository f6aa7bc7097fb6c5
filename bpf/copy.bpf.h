/* SPDX-License-Identifier: GPL-2.0-only */
/* From a fault that a thread is in to the record of its copy, whoever saw it. */
#ifndef COWTRACE_BPF_COPY_H
#define COWTRACE_BPF_COPY_H

#define CODE_DEPTH 32
_Static_assert(8 * CODE_DEPTH <= SCRATCH_SIZE, "a stack of the kernel fits");

/* The stack of the kernel goes to t->scratch; returns its depth. */
static __always_inline u32 kstack__walk(void *ctx, struct thread *t)
{
	long size = bpf_get_stack(ctx, t->scratch, 8 * CODE_DEPTH, 0);

	return size < 0 ? 0 : (u32)size / 8;
}

static __noinline bool kstack__has(struct thread *t, u32 depth, u32 code)
{
	const u64 *stack = (const u64 *)t->scratch;

	if (code >= CT_CODES)
		return false;
	for (u32 i = 0; i < CODE_DEPTH && i < depth; i++)
		if (stack[i] >= cfg_code[code].start && stack[i] < cfg_code[code].end)
			return true;
	return false;
}

static __always_inline bool in_user_fault(struct task_struct *task, u64 ip)
{
	struct pt_regs *regs = task__regs(task);

	return regs__syscall(regs) == -1 && regs__ip(regs) == ip &&
	       !(PEEK(task, flags) & PF_EXITING);
}

/* Rare (writes of syscalls into shared pages), hence a stack walk is affordable. */
static __noinline bool in_kernel_fault(void *ctx, struct thread *t, u64 ip)
{
	const u64 *stack = (const u64 *)t->scratch;
	long size = bpf_get_stack(ctx, t->scratch, 8 * KERNEL_STACK_DEPTH, 0);

	if (!cfg_fault_entry_start)
		return true;
	for (int i = 0; i < KERNEL_STACK_DEPTH - 1 && (i + 2) * 8 <= size; i++)
		if (stack[i] >= cfg_fault_entry_start && stack[i] < cfg_fault_entry_end)
			return stack[i + 1] == ip;
	return false;
}

static __always_inline bool in_fault(void *ctx, struct task_struct *task, struct thread *t, u8 kind)
{
	if (kind == PENDING_FOREIGN)
		return kstack__has(t, kstack__walk(ctx, t), CT_CODE_WP_PAGE);
	return kind == PENDING_KERNEL ? in_kernel_fault(ctx, t, t->pending_ip)
				      : in_user_fault(task, t->pending_ip);
}

/*
 * The kernel counts what it begins. Since it handles faults under the lock of the mapping alone
 * (6.4), it gives up the first copy in a mapping before it has a page for it, when the lock of the
 * address space is taken, and begins again: two counted, one copied. Our own reads of the memory
 * are enough for that. So what was counted in the fault before the page came is subtracted.
 */
static __always_inline void attempts__forget(struct thread *t, struct task_struct *task)
{
	u32 count;

	if (task__wpcopy(task, &count))
		t->wpcopy_base += count - t->wpcopy_fault;
}

static __always_inline void copy__confirm(struct thread *t, u8 origin)
{
	struct ct_copy *ev = &t->event;

	ev->seq = t->copies++;
	ev->time = bpf_ktime_get_ns();
	ev->origin = origin;
	stack__take(t);
	count__add(&counters, CT_COUNT_COPIES, 1);
	t->sent = emit__copy(ev);
	if (!t->sent)
		proc__count_lost(ev->pid, CT_LOST_RING_FULL, 1);
}

/*
 * What a page was allocated for. The one that asks confirms, at one place of its program: the
 * verifier goes through a confirmation, with the stack of Python, once for each place and each way
 * there.
 */
enum purpose {
	PAGE_OTHER, /* for none of ours, as far as was looked */
	PAGE_OURS,  /* for a fault of ours, and no copy, or not yet */
	PAGE_COPY,  /* t->event has the origin */
};

static __always_inline void copy__fixup(struct thread *t, u32 kind)
{
	struct ct_copy *ev = &t->event;

	if (kind == CT_FIXUP_RETRACT) {
		count__add(&counters, CT_COUNT_RETRACTS, 1);
		if (!t->sent)
			proc__count_lost(ev->pid, CT_LOST_RING_FULL, -1);
	}
	if (t->sent && !emit__fixup(ev->pid, ev->tid, ev->seq, kind))
		count__add(&counters, CT_COUNT_FIXUPS_LOST, 1);
}

#endif
