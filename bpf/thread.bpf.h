/* SPDX-License-Identifier: GPL-2.0-only */
/* Which tasks are traced, and what happens to their state at fork, exec and exit. */
#ifndef COWTRACE_BPF_THREAD_H
#define COWTRACE_BPF_THREAD_H

/* It has been adopted, but others that come with it have not, or are not known to the daemon yet.
 */
static __always_inline bool thread__waits(const struct thread *t)
{
	return t->adoption > counting;
}

/* Copies of this thread are counted, from now on. */
static __always_inline bool thread__counts(const struct thread *t)
{
	return t->started && !thread__waits(t);
}

/*
 * The first write fault of a thread that lived before it was traced. It may have been inside one
 * when it was adopted, or when counting began: that one is not counted here, but still was to be by
 * the kernel. So the kernel's count begins where ours does, in the thread itself.
 */
static __always_inline void thread__join(struct thread *t)
{
	if (!t->joining)
		return;
	t->joining = 0;
	t->wpcopy_base = t->wpcopy_fault;
}

/* What the kernel has counted for this thread since it is traced. */
static __always_inline bool thread__wpcopy(const struct thread *t, struct task_struct *task,
					   u32 *since)
{
	u32 count;

	if (!task__wpcopy(task, &count))
		return false;
	*since = t->joining ? 0 : count - t->wpcopy_base;
	return true;
}

/* Slot of the Python layout; the daemon may have found it after this thread was made. */
static __always_inline u32 thread__layout(struct thread *t, u32 pid)
{
	u32 *slot;

	if (!t->layout) {
		slot = bpf_map_lookup_elem(&proc_layouts, &pid);
		if (slot)
			t->layout = *slot;
	}
	return t->layout;
}

/* A fault that ends without a copy has reused the page. */
static __always_inline void thread__settle(struct thread *t, u32 pid)
{
	if (t->pending && t->started)
		proc__count_reuse(pid);
	t->pending = PENDING_NONE;
	t->cold = COLD_NONE;
	t->last_page = 0;
}

/*
 * The return of a kretprobe is not seen if too many threads wait for theirs. What then came of the
 * fault is not known; if a page had come for it, and it has not been freed, it was a copy.
 */
static __always_inline void thread__missed(struct thread *t, u32 pid)
{
	if (t->wp_fault && t->started && (cfg_flush ? t->flushed : t->last_page))
		proc__count_lost(pid, CT_LOST_PROBE_MISSED, 1);
	t->wp_fault = 0;
	t->last_page = 0;
	if (cfg_flush)
		t->flushed = 0;
}

static __always_inline void fork__report(struct task_struct *parent, struct task_struct *child,
					 u32 layout)
{
	struct ct_fork *rec = meta__reserve(sizeof(*rec));

	if (!rec)
		return;
	rec->tag = CT_FORK;
	rec->pid = PEEK(child, tgid);
	rec->ppid = PEEK(parent, tgid);
	rec->uid = BPF_CORE_READ(child, cred, uid.val);
	rec->time = bpf_ktime_get_ns();
	rec->vm_shared = BPF_CORE_READ(child, mm) == BPF_CORE_READ(parent, mm);
	rec->anon_pages = rec->vm_shared ? 0 : mm__anon_pages(BPF_CORE_READ(child, mm));
	rec->layout = layout;
	bpf_probe_read_kernel(rec->comm, sizeof(rec->comm), child->comm);
	bpf_ringbuf_submit(rec, 0);
}

/* False: it was adopted before its parent came to tell of it. Else what may be there is of another
 * one, which had that pid. */
static __always_inline bool fork__is_new(u32 pid, const struct thread *parent)
{
	struct ct_proc proc = {.adoption = parent->adoption}, *known;

	if (!bpf_map_update_elem(&procs, &pid, &proc, BPF_NOEXIST))
		return true;
	known = bpf_map_lookup_elem(&procs, &pid);
	if (adopting && known && known->adoption == adoption)
		return false;
	return !bpf_map_update_elem(&procs, &pid, &proc, BPF_ANY);
}

static __always_inline void thread__fork(struct task_struct *parent, struct task_struct *child)
{
	struct thread *p = thread__of(parent), *c;
	u32 pid = PEEK(child, tgid);

	if (!p)
		return;
	c = thread__create(child);
	if (!c) {
		proc__count_lost(PEEK(parent, tgid), CT_LOST_NO_MEMORY, 1);
		return;
	}
	c->started = p->started;
	c->adoption = p->adoption;
	c->joining = thread__waits(p);
	c->layout = thread__layout(p, PEEK(parent, tgid));
	thread__learn_pointer(p, c, child, BPF_CORE_READ(child, mm) != BPF_CORE_READ(parent, mm));
	c->copy_gfp = p->copy_gfp;
	if (PEEK(child, tgid) == PEEK(parent, tgid))
		return;
	if (!fork__is_new(pid, p))
		return;
	if (c->layout)
		bpf_map_update_elem(&proc_layouts, &pid, &c->layout, BPF_ANY);
	if (p->started)
		fork__report(parent, child, c->layout);
}

static __always_inline void thread__exec(struct task_struct *task)
{
	struct thread *t = thread__of(task);
	struct ct_exec *rec;
	u32 pid = PEEK(task, tgid);

	if (!t)
		return;
	if (!t->started) { /* the command's first instruction: what came before was the launcher's
			    */
		t->started = !!(cfg_pieces & CT_PIECE_WITNESS);
		task__wpcopy(task, &t->wpcopy_base);
	}
	t->pending = PENDING_NONE;
	t->cold = COLD_NONE;
	t->last_page = 0;
	t->layout = 0;
	t->tss_key = 0;
	t->tp = 0;
	t->tls_at[0] = t->tls_at[1] = 0;
	t->execs++;
	bpf_map_delete_elem(&proc_layouts, &pid);
	rec = meta__reserve(sizeof(*rec));
	if (!rec)
		return;
	rec->tag = CT_EXEC;
	rec->pid = pid;
	rec->uid = BPF_CORE_READ(task, cred, uid.val);
	rec->pad = 0;
	rec->time = bpf_ktime_get_ns();
	rec->start_stack = BPF_CORE_READ(task, mm, start_stack); /* 0 without one */
	bpf_probe_read_kernel(rec->comm, sizeof(rec->comm), task->comm);
	bpf_ringbuf_submit(rec, 0);
}

static __always_inline void exit__report(struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct ct_exit *rec = meta__reserve(sizeof(*rec));

	if (!rec)
		return;
	rec->tag = CT_EXIT;
	rec->pid = PEEK(task, tgid);
	rec->time = bpf_ktime_get_ns();
	/* Since 6.16 the tracepoint comes before the memory is dropped. */
	rec->anon_pages = mm ? mm__anon_pages(mm) : ~0UL;
	rec->status = BPF_CORE_READ(task, signal, group_exit_code) ?: PEEK(task, exit_code);
	rec->pad = 0;
	bpf_probe_read_kernel(rec->comm, sizeof(rec->comm), task->comm);
	bpf_ringbuf_submit(rec, 0);
}

static __always_inline void thread__exit(struct task_struct *task)
{
	struct thread *t = thread__of(task);
	u32 pid = PEEK(task, tgid), count = 0;
	struct ct_proc *proc;

	if (!t || !t->started)
		return;
	thread__missed(t, pid);
	thread__settle(t, pid);
	t->started = 0; /* what comes after is in neither count, ours and the kernel's */
	proc = bpf_map_lookup_elem(&procs, &pid);
	if (proc && thread__wpcopy(t, task, &count))
		__sync_fetch_and_add(&proc->kernel_copies, count);
	else if (proc)
		__sync_fetch_and_add(&proc->kernel_unknown, 1);
	if (BPF_CORE_READ(task, signal, live.counter) == 0) {
		bpf_map_delete_elem(&proc_layouts, &pid);
		exit__report(task);
	}
	thread__forget(task);
}

#endif
