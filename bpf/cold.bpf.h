/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes to pages that are not mapped, seen by tracepoints. Nearly all of them only touch memory
 * for the first time. A copy is made for two:
 *
 * A page of a private file mapping (do_cow_fault): the first page for user space that the fault
 * allocates, before it asks the file for its page; no zeroes are asked for. It is a copy when the
 * process has one anonymous page more. If the file's page has to be waited for, it is freed again
 * and the fault is handled anew.
 *
 * A page that was swapped out, and that relatives still share: do_swap_page brings it in, and then
 * calls do_wp_page as for any other.
 *
 * What allocates, the stack of the kernel says.
 */
#ifndef COWTRACE_BPF_COLD_H
#define COWTRACE_BPF_COLD_H

/* All first touches come here: so nothing is read yet. */
static __always_inline void cold__arm(struct thread *t, struct task_struct *task, u64 addr, u64 ip,
				      u8 kind)
{
	if (!cfg_cold)
		return;
	current__wpcopy(&t->wpcopy_fault);
	thread__join(t);
	t->event.addr = addr;
	t->pending_ip = ip;
	t->cold_kind = kind;
	t->cold = COLD_FAULT;
}

/* Before 6.2 each task keeps its counts back: the page has to do as proof, until it is freed. */
static __always_inline bool cold__counts_at_once(struct task_struct___split *task)
{
	return !bpf_core_field_exists(task->rss_stat);
}

/* ALLOC_OTHER: the page is not for the fault that was armed. */
static __always_inline enum alloc cold__alloc(void *ctx, struct thread *t, struct task_struct *task,
					      struct page *page)
{
	bool wp;

	if (!in_fault(ctx, task, t, t->cold_kind))
		return ALLOC_OTHER;
	wp = kstack__has_copy(ctx, t);
	if (!wp && (!kstack__has(t, CT_CODE_FAULT) || kstack__has(t, CT_CODE_SWAP) ||
		    kstack__has(t, CT_CODE_FILE) || kstack__has(t, CT_CODE_MIGRATE)))
		return ALLOC_TAKEN;
	t->cold = COLD_NONE;
	t->last_kind = t->cold_kind;
	thread__layout(t, PEEK(task, tgid));
	evidence__take_rare(t, t->event.addr, t->cold_kind == PENDING_KERNEL);
	t->last_page =
		(u64)page; /* last: reading the evidence can itself enter page_fault_kernel */
	attempts__forget(t, task);
	t->event.sharers = 0;
	t->event.origin = wp ? CT_ORIGIN_FORK : CT_ORIGIN_FILE;
	if (wp)
		return ALLOC_COPY;
	t->event.flags |= CT_F_UNCOUNTED | CT_F_THREADS;
	t->cold = cold__counts_at_once((void *)task) ? COLD_ALLOC : COLD_SENT;
	return t->cold == COLD_SENT ? ALLOC_COPY : ALLOC_LATER;
}

/* The counts of the process have changed in the fault. */
static __always_inline void cold__rss(struct thread *t, int member)
{
	if (t->cold != COLD_ALLOC || member != MM_ANONPAGES)
		return;
	t->cold = COLD_NONE;
	t->last_page = 0;
	copy__send(t, CT_ORIGIN_FILE);
}

/* The page was given back in the fault: it begins anew, or has failed. */
static __always_inline void cold__free(struct thread *t)
{
	if (t->cold == COLD_SENT)
		copy__fixup(t, CT_FIXUP_RETRACT);
	t->cold = COLD_FAULT;
}

#endif
