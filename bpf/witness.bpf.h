/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What proves that a page was copied.
 *
 * tracepoints: a write fault on a present page (exceptions:page_fault_*) is pending; the allocation
 * of one movable page by the same task inside the same fault confirms it. "Inside the same fault"
 * is proven, not assumed: in user mode the frame that the kernel will return to is still the
 * faulting instruction and no syscall; in kernel mode the kernel's stack shows the fault entry
 * right above the faulting instruction. A thread that loses the race for a page frees its copy in
 * the same fault: the copy is taken back. A page of a private file shows in the counters of the
 * process (kmem:rss_stat).
 *
 * do_wp_page, by fexit or kprobes: on its return the page table entry names another frame, and it
 * was this task that put it there: it has flushed the address (flush__seen), or, where that is not
 * to be followed, its allocation of this fault has not been freed.
 *
 * wp_page_copy: it has been called. That is an attempt, and where threads race not yet a copy.
 */
#ifndef COWTRACE_BPF_WITNESS_H
#define COWTRACE_BPF_WITNESS_H

static __always_inline void fault__pend(struct thread *t, struct task_struct *task, u64 addr,
					struct pt_regs *user, u64 ip, u8 kind)
{
	thread__layout(t, PEEK(task, tgid));
	evidence__take(t, task, addr, user, kind == PENDING_KERNEL);
	current__wpcopy(&t->wpcopy_fault);
	thread__join(t);
	t->pending_ip = ip;
	t->pending = kind; /* last: reading the evidence can itself enter page_fault_kernel */
}

/*
 * The write that has just reused its page faults once more. When the kernel only allows to write,
 * it leaves it to the CPU to look again (x86: ptep_set_access_flags() flushes nothing), and a CPU
 * may still have the translation of before: that which the read of the evidence, inside the fault,
 * has made. Seen where a hypervisor keeps the page tables (PVM), at each reuse. Only the page table
 * tells it from another reuse of the page, after another fork.
 */
static __always_inline bool fault__is_stale(struct thread *t, struct task_struct *task, u64 addr,
					    u64 ip)
{
	if (t->pending != PENDING_USER || t->event.addr != addr || t->pending_ip != ip)
		return false;
	direct__begin(t, task);
	return span__open(t, addr, 1) && span__writable(&t->span);
}

static __always_inline void fault__user(u64 addr, struct pt_regs *regs, u64 error)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);

	if (!t)
		return;
	if ((error & PF_MASK) == (PF_USER | PF_PROT_WRITE) &&
	    fault__is_stale(t, task, addr, regs__ip(regs)))
		return;
	thread__settle(t, PEEK(task, tgid));
	if (!thread__counts(t))
		return;
	if ((error & PF_MASK) == (PF_USER | PF_PROT_WRITE))
		fault__pend(t, task, addr, regs, regs__ip(regs), PENDING_USER);
	else if ((error & PF_MASK) == (PF_USER | PF_WRITE))
		cold__arm(t, task, addr, regs__ip(regs), PENDING_USER);
}

static __always_inline void fault__kernel_at(u64 addr, u64 ip, u64 error)
{
	struct task_struct *task;
	struct pt_regs *user;
	struct thread *t;

	if ((s64)addr < 0)
		return;
	task = task__current();
	t = thread__of(task);
	if (!t)
		return;
	/* Reads that only look (ours, a profiler's) fault too, and settle nothing. */
	if (t->pending == PENDING_KERNEL && (error & PF_PROT_WRITE || ip == t->pending_ip))
		thread__settle(t, PEEK(task, tgid));
	if (!thread__counts(t) || (error & (PF_MASK & ~1)) != PF_WRITE)
		return;
	user = task__regs(task);
	/* Kernel mode, but not in a syscall: the kernel's own business in an exception (signal
	 * frames). */
	thread__settle(t, PEEK(task, tgid));
	if ((error & PF_MASK) == PF_PROT_WRITE)
		fault__pend(t, task, addr, user, ip, PENDING_KERNEL);
	else
		cold__arm(t, task, addr, ip, PENDING_KERNEL);
}

static __always_inline void fault__kernel(u64 addr, struct pt_regs *regs, u64 error)
{
	fault__kernel_at(addr, regs__ip(regs), error);
}

/* ALLOC_OTHER: the page is not for the fault that is pending. */
static __always_inline enum alloc pending__alloc(void *ctx, struct thread *t,
						 struct task_struct *task, struct page *page,
						 u32 order, u64 gfp)
{
	u8 kind = t->pending;

	if (!in_fault(ctx, task, t, kind)) {
		if (kind == PENDING_KERNEL)
			thread__settle(t, PEEK(task, tgid));
		return ALLOC_OTHER;
	}
	t->pending = PENDING_NONE;
	t->last_kind = kind;
	t->last_page = (u64)page;
	attempts__forget(t, task);
	/* In a mapped place only the huge page of zeroes is copied as one (since 6.18). */
	t->event.order = order;
	if (order)
		t->event.flags |= CT_F_UNCOUNTED;
	else if (!(gfp & GFP_ZERO_BIT))
		t->copy_gfp = gfp;
	t->event.origin = order || gfp & GFP_ZERO_BIT ? CT_ORIGIN_ZERO : CT_ORIGIN_FORK;
	return ALLOC_COPY;
}

/* The page is that of a copy, and the evidence is in t->event; or it belongs to a fault that has to
 * go on first, or to anything. */
static __always_inline enum alloc alloc__judge(void *ctx, struct thread *t,
					       struct task_struct *task, struct page *page,
					       u32 order, u64 gfp)
{
	enum alloc what = ALLOC_OTHER;
	bool movable = gfp & GFP_MOVABLE_BIT;

	if (t->cold == COLD_FAULT && movable && !order && !(gfp & GFP_ZERO_BIT))
		what = cold__alloc(ctx, t, task, page);
	else if (t->pending && movable && (!order || order == HUGE_ORDER))
		what = pending__alloc(ctx, t, task, page, order, gfp);
	return what == ALLOC_OTHER ? foreign__alloc(ctx, t, task, page, order, gfp) : what;
}

static __always_inline void page__alloc(void *ctx, struct page *page, u32 order, u64 gfp)
{
	struct task_struct *task;
	struct thread *t;
	enum alloc what;

	/* First what costs nothing: most pages are not for user space, most tasks not traced. */
	if (!page || !(gfp & GFP_HIGHMEM_BIT))
		return;
	task = task__current();
	t = thread__of(task);
	if (!t || !t->started)
		return;
	/* In one place: the verifier walks through the whole Python stack for each. And in one
	 * program: what takes a stack later would be another one to walk through. */
	what = alloc__judge(ctx, t, task, page, order, gfp);
	if (what >= ALLOC_LATER)
		stack__take(t);
	if (what == ALLOC_COPY)
		copy__send(t, t->event.origin);
}

/* Without a huge page, the one of zeroes is split, and a small page of it copied. */
static __always_inline void page__again(struct thread *t)
{
	if (!t->event.order)
		return;
	t->event.flags &= ~CT_F_UNCOUNTED;
	t->pending = t->last_kind;
}

/* The loser of a race for a page frees its copy before its fault ends. */
static __always_inline void page__free(void *ctx, struct page *page)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);

	if (!t || !t->last_page || t->last_page != (u64)page)
		return;
	t->last_page = 0;
	if (cfg_function || !in_fault(ctx, task, t, t->last_kind))
		return;
	if (t->cold) {
		cold__free(t);
		return;
	}
	copy__fixup(t, CT_FIXUP_RETRACT);
	page__again(t);
}

/* The copy of a file's page is the first anonymous one in its place: one file page less. */
static __always_inline void page__rss(void *ctx, int member)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);

	if (!t || !t->last_page)
		return;
	if (t->cold ? member != MM_ANONPAGES : member != MM_FILEPAGES && member != MM_SHMEMPAGES)
		return;
	if (!in_fault(ctx, task, t, t->last_kind))
		return;
	if (t->cold)
		cold__rss(t, member);
	else
		copy__fixup(t, CT_FIXUP_ORIGIN_FILE);
}

/* What do_wp_page leaves of a fault, as plain numbers: kprobes are given no pointer with a type. */
struct wp_fault {
	u64 address;
	u64 pte; /* where the entry of the page table is */
	u64 was; /* frame before */
	u64 mm;
	u32 flags; /* enum fault_flag */
};

/* kprobes: vmf is a number. */
static __always_inline void wp_fault__read(struct wp_fault *f, struct vm_fault *vmf, u64 address)
{
	struct vm_area_struct *vma = BPF_CORE_READ(vmf, vma);

	f->address = address;
	f->pte = (u64)BPF_CORE_READ(vmf, pte);
	f->was = BPF_CORE_READ(vmf, orig_pte.pte) & PTE_PFN_MASK;
	f->mm = (u64)BPF_CORE_READ(vma, vm_mm);
	f->flags = fault__flags(vmf);
}

#ifdef CT_LEGACY
#define wp_fault__load	    wp_fault__read
#define fault__load_address fault__address
#else
/* fexit: the pointer has a type, and loads through it cost nothing. */
static __always_inline void wp_fault__load(struct wp_fault *f, struct vm_fault *vmf, u64 address)
{
	f->address = address;
	f->pte = (u64)vmf->pte;
	f->was = vmf->orig_pte.pte & PTE_PFN_MASK;
	f->mm = (u64)vmf->vma->vm_mm;
	f->flags = vmf->flags;
}

static __always_inline u64 fault__load_address(struct vm_fault *vmf, const struct thread *t)
{
	return bpf_core_field_exists(vmf->real_address) ? vmf->real_address : t->event.addr;
}
#endif

/* UNSHARE: nothing is written, and a page that is shared is copied all the same. */
static __always_inline bool wp_fault__breaks(const struct wp_fault *f)
{
	return f->flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE);
}

/* handle_mm_fault is called. */
static __always_inline void fault__begin(u64 address)
{
	struct thread *t = thread__of(task__current());

	if (t)
		t->event.addr = address;
}

/* What was called is kept for its return. NULL: it does not count. */
static __always_inline struct thread *wp_page__begin(struct vm_fault *vmf)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);

	if (!t)
		return NULL;
	thread__missed(t, PEEK(task, tgid));
	if (!thread__counts(t))
		return NULL;
	current__wpcopy(&t->wpcopy_fault);
	thread__join(t);
	t->wp_fault = (u64)vmf;
	return t;
}

/* fentry; the address is where fault__begin keeps it on older kernels */
static __always_inline void wp_page__enter(struct vm_fault *vmf)
{
	struct thread *t = wp_page__begin(vmf);

	if (t)
		t->event.addr = fault__load_address(vmf, t);
}

/* kprobe: vmf is a number */
static __always_inline void wp_page__entry(struct vm_fault *vmf)
{
	struct thread *t = wp_page__begin(vmf);

	if (t)
		t->event.addr = fault__address(vmf, t);
}

static __always_inline struct page *wp_page__look(struct thread *t, struct vm_fault *vmf, u64 gfp)
{
	struct page *old = BPF_CORE_READ(vmf, page);

	t->event.origin = CT_ORIGIN_ZERO;
	t->event.sharers = 0;
	if (old && !(gfp & GFP_ZERO_BIT))
		page__look(old, &t->event.origin, &t->event.sharers);
	return old;
}

/*
 * flush_tlb_mm_range is called. When wp_page_copy has found the entry of the page table unchanged,
 * under its lock, it takes it out (ptep_clear_flush, on x86 that one page of flush_tlb_mm_range;
 * 5.10 to 7.3) and puts its copy in: who loses the race for a page never comes there. Else nobody
 * flushes the address of the fault inside do_wp_page but who looks for memory to be freed, and has
 * PF_MEMALLOC set then. The old page is looked at here, where the fault holds it. In
 * do_huge_pmd_wp_page the same is true of a huge page (pmdp_huge_clear_flush).
 *
 * A first touch flushes nothing: so nobody pays for it, as for the allocation of each page.
 */
static __always_inline void flush__seen(u64 mm, u64 start, u64 end)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);
	struct vm_fault *vmf;

	if (!t || PEEK(task, flags) & PF_MEMALLOC)
		return;
	if (t->follow == FOLLOW_HUGE && end - start == HUGE_SIZE)
		t->flushed = mm;
	vmf = (void *)t->wp_fault;
	if (!vmf || end - start != PAGE_SIZE || (t->event.addr ^ start) >= PAGE_SIZE)
		return;
	t->flushed = mm;
	t->last_page = (u64)wp_page__look(t, vmf, 0);
}

/*
 * The page that the copy goes to: of what do_wp_page allocates, only a page for user space may be
 * in high memory (movable it need not be: PF_MEMALLOC_PIN). The old page is looked at here, where
 * do_wp_page holds it; when it returns, the last one that shared it may have freed it.
 */
static __always_inline void wp_page__alloc(struct page *page, u32 order, u64 gfp)
{
	struct thread *t;

	if (!page || !(gfp & GFP_HIGHMEM_BIT))
		return;
	t = thread__of(task__current());
	if (!t)
		return;
	if (order == HUGE_ORDER && t->follow == FOLLOW_HUGE)
		t->last_page = (u64)page;
	if (!t->wp_fault || order)
		return;
	t->last_page = (u64)page;
	wp_page__look(t, (void *)t->wp_fault, gfp);
}

static __always_inline void fault__evidence(struct thread *t, struct task_struct *task,
					    const struct wp_fault *f)
{
	bool kernel = !(f->flags & FAULT_FLAG_USER);

	thread__layout(t, PEEK(task, tgid));
	evidence__take(t, task, f->address, task__regs(task), kernel);
	/* process_vm_writev, ptrace: the page is in the memory of another process. */
	if (f->mm != (u64)PEEK(task__plain(task), mm)) {
		t->event.flags = CT_F_KERNEL;
		t->event.type_word = 0;
		t->event.victim = mm__process(f->mm);
	}
	if (f->flags & FAULT_FLAG_UNSHARE)
		t->event.flags |= CT_F_UNSHARE;
}

static __always_inline void wp_page__copied(struct thread *t, struct task_struct *task,
					    const struct wp_fault *f)
{
	fault__evidence(t, task, f);
	copy__confirm(t, t->event.origin);
}

/* Where last_page is the struct page of the frame that pte names. As events, pages are frame
 * numbers. */
static __always_inline void vmemmap__learn(struct thread *t, u64 pte)
{
	u64 frame = (pte & PTE_PFN_MASK) / PAGE_SIZE;

	if ((s64)t->last_page < 0)
		t->vmemmap = t->last_page - frame * bpf_core_type_size(struct page);
}

/* The new page is that of this thread, else another one made the copy. */
static __always_inline bool wp_page__is_ours(const struct thread *t, const struct wp_fault *f)
{
	return cfg_flush ? t->flushed == f->mm : t->last_page;
}

static __always_inline void wp_page__judge(struct thread *t, struct task_struct *task,
					   const struct wp_fault *f, u32 result)
{
	u64 now = 0;

	if (t->started && result & VM_FAULT_RETRY)
		attempts__forget(t, task);
	if (!thread__counts(t) || !wp_fault__breaks(f))
		return;
	if (bpf_probe_read_kernel(&now, sizeof(now), (void *)f->pte))
		return;
	if ((now & PTE_PFN_MASK) != f->was) {
		if (wp_page__is_ours(t, f)) {
			vmemmap__learn(t, cfg_flush ? f->was : now);
			wp_page__copied(t, task, f);
		}
	} else if (f->flags & FAULT_FLAG_WRITE && !(result & (VM_FAULT_RETRY | VM_FAULT_ERROR))) {
		proc__count_reuse(PEEK(task, tgid));
	}
	t->flushed = 0;
	t->last_page = 0;
}

/* fexit */
static __always_inline void wp_page__exit(struct vm_fault *vmf, u32 result)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);
	struct wp_fault fault;

	if (!t)
		return;
	t->wp_fault = 0;
	wp_fault__load(&fault, vmf, t->event.addr);
	wp_page__judge(t, task, &fault, result);
}

/* kretprobe: the argument is that of the entry, which this thread keeps. */
static __always_inline void wp_page__return(u32 result)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);
	struct wp_fault fault;

	if (!t || !t->wp_fault)
		return;
	wp_fault__read(&fault, (void *)t->wp_fault, t->event.addr);
	t->wp_fault = 0;
	wp_page__judge(t, task, &fault, result);
}

/*
 * wp_page_copy begins. The evidence has to wait: a read of the page marks it accessed, and then its
 * entry in the page table is not the one that the kernel compares with before it puts the copy
 * there (pte_same). It would throw the copy away, and the program would fault again.
 */
static __always_inline void page_copy__entry(struct vm_fault *vmf)
{
	struct thread *t = wp_page__begin(vmf);

	if (!t)
		return;
	t->last_page = (u64)vmf;
	wp_page__look(t, vmf, 0);
}

static __always_inline void page_copy__exit(void)
{
	struct task_struct *task = task__current();
	struct thread *t = thread__of(task);
	struct wp_fault fault;
	struct vm_fault *vmf;

	if (!t || !t->wp_fault)
		return;
	vmf = (void *)t->wp_fault;
	wp_fault__read(&fault, vmf, fault__address(vmf, t));
	t->wp_fault = t->last_page = 0;
	if (t->started && wp_fault__breaks(&fault))
		wp_page__copied(t, task, &fault);
}

#endif
