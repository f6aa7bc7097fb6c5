// SPDX-License-Identifier: GPL-2.0-only
/* The programs. Each only says when; what happens is in the headers, in the order of the data. */
#include "kernel.h"
#include <bpf/bpf_tracing.h>
#include <cowtrace/abi.h>
#include <cowtrace/digest.h>
#include <cowtrace/pylayout.h>
#include "config.bpf.h"
#include "direct.bpf.h"
#include "maps.bpf.h"
#include "task.bpf.h"
#include "machine.bpf.h"
#include "read.bpf.h"
#include "emit.bpf.h"
#include "compat.bpf.h"
#include "memory.bpf.h"
#include "pytype.bpf.h"
#include "evidence.bpf.h"
#include "pystate.bpf.h"
#include "pycode.bpf.h"
#include "pyunwind.bpf.h"
#include "stacks.bpf.h"
#include "thread.bpf.h"
#include "page.bpf.h"
#include "copy.bpf.h"
#include "cold.bpf.h"
#include "foreign.bpf.h"
#include "adopt.bpf.h"
#include "witness.bpf.h"
#include "huge.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* --- the tree of processes --- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	adopt__running(parent);
	thread__fork(parent, child);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	thread__exec(task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	adopt__orphans(task);
	thread__exit(task);
	return 0;
}

/* --- witness: tracepoints --- */

SEC("tp_btf/page_fault_user")
int BPF_PROG(on_fault_user, unsigned long addr, struct pt_regs *regs, unsigned long error)
{
	fault__user(addr, regs, error);
	return 0;
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(on_fault_kernel, unsigned long addr, struct pt_regs *regs, unsigned long error)
{
	fault__kernel(addr, regs, error);
	return 0;
}

SEC("tp_btf/rss_stat")
int BPF_PROG(on_rss_stat, struct mm_struct *mm, int member)
{
	page__rss(ctx, member);
	return 0;
}

/* --- witnesses: tracepoints and do_wp_page --- */

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(on_page_alloc, struct page *page, unsigned int order, unsigned int gfp)
{
	if (cfg_function)
		wp_page__alloc(page, order, gfp);
	else
		page__alloc(ctx, page, order, gfp);
	return 0;
}

SEC("tp_btf/mm_page_free")
int BPF_PROG(on_page_free, struct page *page)
{
	page__free(ctx, page);
	return 0;
}

/*
 * --- tracepoints, as events ---
 *
 * While a program is inside one thread, the kernel skips it for all others of that CPU. That loses
 * nothing as long as it can not be preempted there. If the kernel is a preemptible one, it can be
 * around a function always, and at a tracepoint since 7.0, where probes run under SRCU. As an event
 * it never can.
 */

SEC("tp/sched/sched_process_exec")
int on_exec_event(void *ctx)
{
	thread__exec(task__current());
	return 0;
}

SEC("tp/sched/sched_process_exit")
int on_exit_event(void *ctx)
{
	adopt__orphans(task__current());
	thread__exit(task__current());
	return 0;
}

SEC("tp/exceptions/page_fault_user")
int on_fault_user_event(struct fault_event *ctx)
{
	fault__user(ctx->address, task__regs(task__current()), ctx->error_code);
	return 0;
}

SEC("tp/exceptions/page_fault_kernel")
int on_fault_kernel_event(struct fault_event *ctx)
{
	fault__kernel_at(ctx->address, ctx->ip, ctx->error_code);
	return 0;
}

SEC("tp/kmem/rss_stat")
int on_rss_stat_event(struct trace_event_raw_rss_stat *ctx)
{
	page__rss(ctx, ctx->member);
	return 0;
}

/* Frame numbers stand for the pages. */
SEC("tp/kmem/mm_page_alloc")
int on_page_alloc_event(struct trace_event_raw_mm_page_alloc *ctx)
{
	if (cfg_function)
		wp_page__alloc((void *)ctx->pfn, ctx->order, ctx->gfp_flags);
	else
		page__alloc(ctx, (void *)ctx->pfn, ctx->order, ctx->gfp_flags);
	return 0;
}

SEC("tp/kmem/mm_page_free")
int on_page_free_event(struct trace_event_raw_mm_page_free *ctx)
{
	page__free(ctx, (void *)ctx->pfn);
	return 0;
}

/* --- the address of a fault, where do_wp_page does not tell it --- */

SEC("fentry/handle_mm_fault")
int BPF_PROG(on_fault_entry, struct vm_area_struct *vma, unsigned long address)
{
	fault__begin(address);
	return 0;
}

SEC("kprobe/handle_mm_fault")
int on_fault_probe(struct pt_regs *ctx)
{
	fault__begin(probe__second(ctx));
	return 0;
}

/* --- witness: do_wp_page --- */

SEC("fentry/do_wp_page")
int BPF_PROG(on_wp_page_entry, struct vm_fault *vmf)
{
	wp_page__entry(vmf);
	return 0;
}

SEC("fexit/do_wp_page")
int BPF_PROG(on_wp_page_exit, struct vm_fault *vmf, unsigned int result)
{
	wp_page__exit(vmf, result);
	return 0;
}

SEC("kprobe/do_wp_page")
int on_wp_page_probe(struct pt_regs *ctx)
{
	wp_page__entry((void *)probe__first(ctx));
	return 0;
}

SEC("kretprobe/do_wp_page")
int on_wp_page_return(struct pt_regs *ctx)
{
	wp_page__return(probe__result(ctx));
	return 0;
}

/* --- witness: wp_page_copy --- */

SEC("fentry/wp_page_copy")
int BPF_PROG(on_page_copy_entry, struct vm_fault *vmf)
{
	page_copy__entry(vmf);
	return 0;
}

SEC("fexit/wp_page_copy")
int BPF_PROG(on_page_copy_exit)
{
	page_copy__exit();
	return 0;
}

SEC("kprobe/wp_page_copy")
int on_page_copy_probe(struct pt_regs *ctx)
{
	page_copy__entry((void *)probe__first(ctx));
	return 0;
}

SEC("kretprobe/wp_page_copy")
int on_page_copy_return(void *ctx)
{
	page_copy__exit();
	return 0;
}

/* --- what do_wp_page has no part in: each where the kernel lets it be followed --- */

SEC("fentry/finish_fault")
int BPF_PROG(on_finish_entry, struct vm_fault *vmf)
{
	finish__entry((u64)vmf);
	return 0;
}

SEC("fexit/finish_fault")
int BPF_PROG(on_finish_exit, struct vm_fault *vmf, unsigned int result)
{
	finish__exit(result);
	return 0;
}

SEC("kprobe/finish_fault")
int on_finish_probe(struct pt_regs *ctx)
{
	finish__entry(probe__first(ctx));
	return 0;
}

SEC("kretprobe/finish_fault")
int on_finish_return(struct pt_regs *ctx)
{
	finish__exit(probe__result(ctx));
	return 0;
}

SEC("fentry/do_huge_pmd_wp_page")
int BPF_PROG(on_huge_entry, struct vm_fault *vmf)
{
	huge_wp__entry((u64)vmf);
	return 0;
}

SEC("fexit/do_huge_pmd_wp_page")
int BPF_PROG(on_huge_exit, struct vm_fault *vmf, unsigned int result)
{
	huge_wp__exit(result);
	return 0;
}

SEC("kprobe/do_huge_pmd_wp_page")
int on_huge_probe(struct pt_regs *ctx)
{
	huge_wp__entry(probe__first(ctx));
	return 0;
}

SEC("kretprobe/do_huge_pmd_wp_page")
int on_huge_return(struct pt_regs *ctx)
{
	huge_wp__exit(probe__result(ctx));
	return 0;
}

/* Its name and its arguments differ: the daemon looks them up. */
SEC("fentry/hugetlb_wp")
int on_hugetlb_entry(unsigned long long *ctx)
{
	if (cfg_hugetlb_args == 1)
		hugetlb__args(ctx[0], 0, 0, 0);
	else if (cfg_hugetlb_args == 2)
		hugetlb__args(0, ctx[1], 0, 0);
	else
		hugetlb__args(0, ctx[1], ctx[2], ctx[3]);
	return 0;
}

SEC("fexit/hugetlb_wp")
int on_hugetlb_exit(unsigned long long *ctx)
{
	hugetlb__exit();
	return 0;
}

SEC("kprobe/hugetlb_wp")
int on_hugetlb_probe(struct pt_regs *ctx)
{
	hugetlb__args(probe__first(ctx), probe__second(ctx), probe__third(ctx), probe__fourth(ctx));
	return 0;
}

SEC("kretprobe/hugetlb_wp")
int on_hugetlb_return(struct pt_regs *ctx)
{
	hugetlb__exit();
	return 0;
}

/* --- at the start: threads that were there before --- */

SEC("iter/task")
int adopt_each(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct ct_adopted result = {};
	int adopted = task ? adopt__task(task) : 0;

	if (!adopted)
		return 0;
	result.tid = PEEK(task, pid);
	result.failed = adopted < 0;
	bpf_seq_write(ctx->meta->seq, &result, sizeof(result));
	return 0;
}

/* --- at the end: what the kernel counted for the threads that still run --- */

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread *t = task ? thread__of(task) : NULL;
	struct ct_live live = {};
	u32 count = 0;

	if (!t || !t->started)
		return 0;
	live.pid = PEEK(task, tgid);
	live.tid = PEEK(task, pid);
	live.known = thread__wpcopy(t, task, &count);
	live.kernel_copies = count;
	live.reuses = t->pending != PENDING_NONE;
	bpf_seq_write(ctx->meta->seq, &live, sizeof(live));
	return 0;
}
