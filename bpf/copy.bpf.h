/* SPDX-License-Identifier: GPL-2.0-only */
/* From a fault that a thread is in to the record of its copy, whoever saw it. */
#ifndef COWTRACE_BPF_COPY_H
#define COWTRACE_BPF_COPY_H

#define CODE_DEPTH 32
_Static_assert(8 * CODE_DEPTH <= SCRATCH_SIZE, "a stack of the kernel fits");

/* 1 or 0, without a branch: of those the verifier follows both sides, and here are hundreds. */
static __always_inline u32 is_within(u64 address, const volatile struct ct_range *range)
{
	u64 at = address - range->start, size = range->end - range->start;

	return ((at - size) & ~at) >> 63;
}

/*
 * Which functions of the kernel are in the stack in t->scratch. The answer goes through memory, of
 * which the verifier remembers nothing: else it follows each answer on, all the way to the copy.
 * Not static, where the kernel lets it be (5.12): then it is checked once, and not for each caller.
 */
#ifdef CT_LEGACY
static __noinline int kstack__judge(struct thread *t, u32 n)
#else
__noinline int kstack__judge(struct thread *t, u32 n)
#endif
{
	u32 found = 0;

	if (!t)
		return 0;
	for (u32 i = 0; i < CODE_DEPTH && i < n; i++)
		for (u32 code = 0; code < CT_CODES; code++)
			found |= is_within(((const u64 *)t->scratch)[i], &cfg_code[code]) << code;
	t->is_in = found;
	return 0;
}

static __always_inline void kstack__look(void *ctx, struct thread *t)
{
	long size = bpf_get_stack(ctx, t->scratch, 8 * CODE_DEPTH, 0);

	kstack__judge(t, size < 0 ? 0 : (u64)size / 8);
}

/* As it was last looked. */
static __always_inline bool kstack__has(const struct thread *t, u32 code)
{
	return t->is_in & 1 << code;
}

/* do_wp_page may have left the stack to what it calls last. */
static __always_inline bool kstack__has_copy(void *ctx, struct thread *t)
{
	kstack__look(ctx, t);
	return kstack__has(t, CT_CODE_WP_PAGE) || kstack__has(t, CT_CODE_WP_COPY);
}

/* What an allocated page is to a thread. */
enum alloc {
	ALLOC_OTHER, /* nothing */
	ALLOC_TAKEN, /* it is for the fault, and no copy */
	ALLOC_LATER, /* it may become the copy that t->event describes */
	ALLOC_COPY,  /* it is that copy */
};

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
		return kstack__has_copy(ctx, t);
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

	if (current__wpcopy(&count))
		t->wpcopy_base += count - t->wpcopy_fault;
}

/* It has its stack. */
static __always_inline void copy__send(struct thread *t, u8 origin)
{
	struct ct_copy *ev = &t->event;

	ev->seq = t->copies++;
	ev->time = bpf_ktime_get_ns();
	ev->origin = origin;
	count__add(&counters, CT_COUNT_COPIES, 1);
	t->sent = emit__copy(ev);
	if (!t->sent)
		proc__count_lost(ev->pid, CT_LOST_RING_FULL, 1);
}

static __always_inline void copy__confirm(struct thread *t, u8 origin)
{
	stack__take(t);
	copy__send(t, origin);
}

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
