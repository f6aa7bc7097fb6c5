/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Adopting what was there before: processes that the user names, and all below them. One pass over
 * all threads of the machine is not one moment: meanwhile they fork, and they end. So the programs
 * for fork and exit, which are attached before, help as long as `adopting` is set:
 *
 * - A thread that forks is adopted first, if it is wanted: what it forks is traced from its birth.
 *   Whatever the pass can still miss was there when it began.
 * - A process that ends leaves its children to another parent, who need not be wanted. So they
 *   become wanted themselves.
 *
 * Passes are made until one finds nothing, while nobody left a child behind: then none is left.
 *
 * Of those that are adopted nothing is counted until the last pass is over and the daemon has found
 * every Python. Who was traced before goes on being counted meanwhile, and tells of what it forks
 * itself; so the way up from a thread ends there.
 */
#ifndef COWTRACE_BPF_ADOPT_H
#define COWTRACE_BPF_ADOPT_H

enum adopt {
	ADOPT_UNKNOWN, /* the answer lies further up */
	ADOPT_YES,
	ADOPT_NO,
};

static __always_inline enum adopt adopt__ask(u32 pid)
{
	struct ct_proc *proc = bpf_map_lookup_elem(&procs, &pid);

	if (proc)
		return proc->adoption == adoption ? ADOPT_YES : ADOPT_NO;
	return bpf_map_lookup_elem(&wanted, &pid) ? ADOPT_YES : ADOPT_UNKNOWN;
}

/* One of the processes that are wanted, or below one. */
static __always_inline bool adopt__wants(struct task_struct *task)
{
	for (int i = 0; i < MAX_ANCESTORS; i++) {
		u32 pid = BPF_CORE_READ(task, tgid);
		enum adopt answer = adopt__ask(pid);

		if (answer != ADOPT_UNKNOWN)
			return answer == ADOPT_YES;
		if (pid <= 1)
			return false;
		task = BPF_CORE_READ(task, real_parent);
	}
	return false;
}

static __always_inline void adopt__report(struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(leader, real_parent);
	const struct cred *cred = BPF_CORE_READ(leader, cred);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct ct_adopt *rec = meta__reserve(sizeof(*rec));

	if (!rec)
		return;
	rec->tag = CT_ADOPT;
	rec->pid = PEEK(task, tgid);
	rec->ppid = BPF_CORE_READ(parent, tgid);
	rec->uid = BPF_CORE_READ(cred, uid.val);
	rec->started = BPF_CORE_READ(leader, start_time);
	rec->start_stack = mm ? BPF_CORE_READ(mm, start_stack) : 0;
	/* Of the leader, as all other threads have the flag. After vfork the memory is not its own.
	 */
	rec->forked =
		BPF_CORE_READ(leader, flags) & PF_FORKNOEXEC && mm != BPF_CORE_READ(parent, mm);
	rec->pad = 0;
	bpf_probe_read_kernel(rec->comm, sizeof(rec->comm), leader->comm);
	bpf_ringbuf_submit(rec, 0);
}

/*
 * Two may do this for the same thread at once, the pass and the thread itself: both write the same.
 * 1: has been adopted; 0: there is nothing to do; -1: no memory.
 */
static __always_inline int adopt__thread(struct task_struct *task)
{
	struct ct_proc proc = {.adoption = adoption};
	u32 pid = PEEK(task, tgid);
	struct thread *t;

	if (thread__of(task) || !adopt__wants(task))
		return 0;
	t = thread__create(task);
	if (!t)
		return -1;
	t->adoption = adoption;
	t->joining = 1;
	t->started = !!(cfg_pieces & CT_PIECE_WITNESS);
	if (!bpf_map_update_elem(&procs, &pid, &proc, BPF_NOEXIST))
		adopt__report(task);
	return 1;
}

/* A thread that the pass has met. One that is ending does, or has done, what is left to do itself.
 */
static __always_inline int adopt__task(struct task_struct *task)
{
	return PEEK(task, flags) & PF_EXITING ? 0 : adopt__thread(task);
}

/* The current thread is about to have a child, or to end. */
static __always_inline void adopt__running(struct task_struct *task)
{
	if (adopting)
		adopt__thread(task);
}

/* Not static: the verifier checks it once, and not for each turn of the loop that calls it. */
__noinline int orphan__want(u32 pid)
{
	u32 key = pid;
	u8 yes = 1;

	if (adopt__ask(key) != ADOPT_UNKNOWN)
		return 0;
	bpf_map_update_elem(&wanted, &key, &yes, BPF_ANY);
	__sync_fetch_and_add(&orphans, 1);
	return 1;
}

/* The children of a task, one after the other. */
struct orphans {
	u64 at, head;
};

/* 1: that was the last one. */
static long orphans__next(u32 i, void *ctx)
{
	struct orphans *o = ctx;
	struct task_struct *child =
		(void *)(o->at - bpf_core_field_offset(struct task_struct, sibling));

	(void)i;
	if (!o->at || o->at == o->head)
		return 1;
	orphan__want(BPF_CORE_READ(child, tgid));
	o->at = (u64)BPF_CORE_READ(child, sibling.next);
	return 0;
}

/* The current thread ends. */
static __always_inline void adopt__orphans(struct task_struct *task)
{
	struct orphans o = {};

	if (!adopting || !adopt__wants(task))
		return;
	adopt__thread(task);
	o.head = (u64)task + bpf_core_field_offset(struct task_struct, children);
	o.at = (u64)BPF_CORE_READ(task, children.next);
#ifndef CT_LEGACY
	/* Since 5.17 (e6f2dd0f8067): the verifier goes through one turn, and not through all. */
	if (bpf_core_enum_value_exists(enum bpf_func_id___loop, BPF_FUNC_loop___since_5_17)) {
		bpf_loop(MAX_ORPHANS, orphans__next, &o, 0);
		return;
	}
#endif
	for (int i = 0; i < MAX_ORPHANS; i++)
		if (orphans__next(i, &o))
			break;
}

#endif
