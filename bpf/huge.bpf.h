/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies that do_wp_page has no part in, seen by functions of the kernel, each where it can be
 * followed. What they are called with is kept as numbers: kprobes are given nothing else.
 *
 * finish_fault: the end of do_cow_fault, which copies a page of a private file at the first write.
 * do_huge_pmd_wp_page: since 6.18 it copies the huge page of zeroes in one piece; all others are
 * split, and their pages copied by do_wp_page.
 * hugetlb_wp (hugetlb_cow in 5.10): it is called for first touches, too, so the entry of the page
 * table is compared, before and after. Threads do not race there: a mutex of the page is held.
 */
#ifndef COWTRACE_BPF_HUGE_H
#define COWTRACE_BPF_HUGE_H

/* What the function was called with, kept in t->scratch for its return: nothing that runs meanwhile
 * needs that. */
struct call {
	u64 vmf, vma, address;
	u64 pte, was; /* entry of the page table: where it is, and what it held */
	u16 sharers;
	u8 origin;
};
_Static_assert(sizeof(struct call) <= SCRATCH_SIZE, "a call fits");

static __always_inline struct call *call__begin(struct thread *t, u8 follow)
{
	t->follow = follow;
	return (struct call *)t->scratch;
}

/* NULL: its entry has not been seen. */
static __always_inline const struct call *call__end(struct thread *t, u8 follow)
{
	bool same = t->follow == follow;

	t->follow = FOLLOW_NONE;
	return same && thread__counts(t) ? (const struct call *)t->scratch : NULL;
}

/* --- finish_fault --- */

static __always_inline void finish__entry(u64 vmf)
{
	struct thread *t = thread__of(task__current());

	if (t)
		call__begin(t, FOLLOW_FINISH)->vmf = vmf;
}

static __always_inline void finish__copied(struct thread *t, struct task_struct *task,
					   const struct wp_fault *f)
{
	fault__evidence(t, task, f);
	t->event.flags |= CT_F_UNCOUNTED;
	t->event.sharers = 0;
	copy__confirm(t, CT_ORIGIN_FILE);
}

/* fexit: it has the argument, and nothing runs for the entry. */
static __always_inline void finish__exit(struct vm_fault *vmf, u32 result)
{
	struct task_struct *task;
	struct wp_fault fault;
	struct thread *t;

	if (result || !vmf->cow_page) /* another thread was faster: VM_FAULT_NOPAGE; no copy */
		return;
	task = task__current();
	t = thread__of(task);
	if (!t || !thread__counts(t))
		return;
	wp_fault__load(&fault, vmf, fault__load_address(vmf, t));
	finish__copied(t, task, &fault);
}

/* kretprobe */
static __always_inline void finish__return(u32 result)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);
	const struct call *call = t ? call__end(t, FOLLOW_FINISH) : NULL;
	struct wp_fault fault;
	struct vm_fault *vmf;

	if (!call || result)
		return;
	vmf = (void *)call->vmf;
	if (!BPF_CORE_READ(vmf, cow_page))
		return;
	wp_fault__read(&fault, vmf, fault__address(vmf, t));
	finish__copied(t, task, &fault);
}

/* --- do_huge_pmd_wp_page --- */

static __always_inline void huge_wp__entry(u64 vmf)
{
	struct thread *t = thread__of(task__current());

	if (!t)
		return;
	call__begin(t, FOLLOW_HUGE)->vmf = vmf;
	t->flushed = 0;
	t->last_page = 0;
}

/* VM_FAULT_FALLBACK, one of the errors: it was split. A page that was not used has been freed. */
static __always_inline void huge_wp__exit(u32 result)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);
	const struct call *call = t ? call__end(t, FOLLOW_HUGE) : NULL;
	struct vm_fault *vmf;
	struct wp_fault fault;

	if (!call || !(cfg_flush ? t->flushed : t->last_page) ||
	    result & (VM_FAULT_RETRY | VM_FAULT_ERROR))
		return;
	vmf = (void *)call->vmf;
	wp_fault__read(&fault, vmf, fault__address(vmf, t));
	t->flushed = 0;
	t->last_page = 0;
	fault__evidence(t, task, &fault);
	t->event.flags |= CT_F_UNCOUNTED;
	t->event.order = HUGE_ORDER;
	t->event.sharers = 0;
	copy__confirm(t, CT_ORIGIN_ZERO);
}

/* --- hugetlb_wp --- */

/* Where frames have their struct page, this thread has learnt from the copies it made. */
static __always_inline void hugetlb__look(struct thread *t, struct call *c)
{
	u64 frame = (c->was & PTE_PFN_MASK) / PAGE_SIZE;
	struct page *page = (void *)(t->vmemmap + frame * bpf_core_type_size(struct page));

	c->origin = CT_ORIGIN_FORK;
	c->sharers = 0;
	if (t->vmemmap)
		page__look(page, &c->origin, &c->sharers);
}

static __always_inline void hugetlb__entry(u64 vmf, u64 vma, u64 address, u64 pte)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);
	struct vm_fault *fault = (void *)vmf;
	struct call *c;

	if (!t || !thread__counts(t))
		return;
	current__wpcopy(&t->wpcopy_fault);
	thread__join(t);
	c = call__begin(t, FOLLOW_HUGETLB);
	c->vma = vmf ? (u64)BPF_CORE_READ(fault, vma) : vma;
	c->address = vmf ? fault__address(fault, t) : address;
	c->pte = vmf ? (u64)BPF_CORE_READ(fault, pte) : pte;
	c->vmf = vmf;
	c->was = 0;
	bpf_probe_read_kernel(&c->was, sizeof(c->was), (void *)c->pte);
	hugetlb__look(t, c);
}

/* The arguments: (vmf) since 6.17, (folio, vmf) since 6.10, before (mm, vma, address, pte, ...). */
static __always_inline void hugetlb__args(u64 first, u64 second, u64 third, u64 fourth)
{
	if (cfg_hugetlb_args == 1)
		hugetlb__entry(first, 0, 0, 0);
	else if (cfg_hugetlb_args == 2)
		hugetlb__entry(second, 0, 0, 0);
	else
		hugetlb__entry(0, second, third, fourth);
}

static __always_inline u8 hugetlb__order(u64 address_of_vma)
{
	struct vm_area_struct *vma = (void *)address_of_vma;
	struct file *file = BPF_CORE_READ(vma, vm_file);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct hugetlbfs_sb_info *info = BPF_CORE_READ(sb, s_fs_info);
	struct hstate *h = BPF_CORE_READ(info, hstate);
	u32 order = BPF_CORE_READ(h, order);

	return order > CT_MAX_ORDER ? CT_MAX_ORDER : order;
}

/* Up to 6.9 the flags of the fault are not at hand: in a syscall it is the kernel that writes. */
static __always_inline void hugetlb__fault(struct wp_fault *f, const struct call *c,
					   struct task_struct *task)
{
	struct vm_area_struct *vma = (void *)c->vma;
	struct vm_fault *vmf = (void *)c->vmf;

	f->address = c->address;
	f->mm = (u64)BPF_CORE_READ(vma, vm_mm);
	f->flags = regs__syscall(task__regs(task)) == -1 ? FAULT_FLAG_USER : 0;
	if (c->vmf)
		f->flags = fault__flags(vmf);
}

/* The kernel counts each call, first touches, too. */
static __always_inline void hugetlb__attempts(struct thread *t, struct task_struct *task,
					      bool copied)
{
	u32 count;

	if (current__wpcopy(&count) && count - t->wpcopy_fault > copied)
		t->wpcopy_base += count - t->wpcopy_fault - copied;
}

static __always_inline void hugetlb__exit(void)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);
	const struct call *c = t ? call__end(t, FOLLOW_HUGETLB) : NULL;
	struct wp_fault fault = {};
	struct call call;
	bool copied;
	u64 now = 0;

	if (!c)
		return;
	call = *c;
	bpf_probe_read_kernel(&now, sizeof(now), (void *)call.pte);
	copied = now & call.was & PTE_PRESENT && (now ^ call.was) & PTE_PFN_MASK;
	hugetlb__attempts(t, task, copied);
	if (!copied)
		return;
	hugetlb__fault(&fault, &call, task);
	fault__evidence(t, task, &fault);
	t->event.flags |= CT_F_HUGETLB;
	t->event.order = hugetlb__order(call.vma);
	t->event.sharers = call.sharers;
	copy__confirm(t, call.origin);
}

#endif
