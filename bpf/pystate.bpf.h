/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Python thread state of the current thread: the one that is attached to it, or else the one
 * that is bound to it. A state counts only if it names this thread, or is seen to run in it.
 */
#ifndef COWTRACE_BPF_PYSTATE_H
#define COWTRACE_BPF_PYSTATE_H

/* So far from the innermost run of the interpreter's loop, at most, C code is believed to be. */
#define C_STACK_MAX (1UL << 20)

/* pthread_self() of the thread: how Python names it. */
static __always_inline u64 thread__self(const struct thread *t, const struct ct_pylayout *lay)
{
	return t->event.thread_pointer - lay->self_below;
}

/*
 * Up to 3.12 whoever runs a sub-interpreter may do so with the state of the thread that made it. In
 * 3.11 and 3.12 a state that is in use points to the C stack of the thread that uses it: above its
 * stack pointer and, but for the main thread, below what its thread pointer points to.
 */
static __always_inline bool tstate__runs_here(struct thread *t, const struct ct_pylayout *lay)
{
	u64 at = scratch__u64(t->scratch, lay->ts_frame);
	u64 sp = t->event.sp, thread = t->event.thread_pointer;

	return lay->flags & CT_PY_CFRAME && at > sp && at - sp < C_STACK_MAX &&
	       (thread < sp || at < thread);
}

/* The words of it that somebody asks for. */
static __always_inline bool tstate__words(struct thread *t, const struct ct_pylayout *lay,
					  u64 tstate, u64 size)
{
	if (!span__open(t, tstate, size))
		return false;
	span__keep(t, lay->ts_thread_id);
	span__keep(t, lay->ts_interp);
	span__keep(t, lay->ts_frame);
	span__keep(t, lay->ts_next);
	span__keep(t, lay->ts_datastack);
	span__keep(t, lay->ts_datastack + 16);
	return span__held(&t->span);
}

/* Reads a thread state into the scratch buffer; true if it is that of this thread. */
static __always_inline bool tstate__load(struct thread *t, const struct ct_pylayout *lay,
					 u64 tstate)
{
	u64 size = bound(lay->ts_size, SCRATCH_SIZE);

	if (!tstate)
		return false;
	if (!tstate__words(t, lay, tstate, size) &&
	    bpf_probe_read_user(t->scratch, size, (void *)tstate)) {
		t->py.unwind = CT_UNWIND_TSTATE_UNREADABLE;
		return false;
	}
	return scratch__u64(t->scratch, lay->ts_thread_id) == thread__self(t, lay) ||
	       tstate__runs_here(t, lay);
}

/* Where this thread has a thread-local variable; 0: not there (yet). */
static __always_inline u64 tls__address(u64 thread_pointer, u32 module, s64 offset)
{
	u64 dtv, block;

	if (!module)
		return thread_pointer + offset;
	dtv = user__u64(thread_pointer + DTV_AT);
	if (!user__plausible(dtv))
		return 0;
	block = user__u64(dtv + 16UL * module);
	/* glibc's TLS_DTV_UNALLOCATED is -1. */
	return block && block != ~0UL ? block + offset : 0;
}

/*
 * The state that a thread-local variable points to. Its address stays as long as its module is
 * loaded; it is remembered once it has led to a state of this thread.
 */
static __always_inline bool tstate__by_tls(struct thread *t, const struct ct_pylayout *lay,
					   u64 *known, u32 module, s64 offset)
{
	u64 at = *known ?: tls__address(t->event.thread_pointer, module, offset);
	u64 tstate = at ? thread__u64(t, at) : 0;

	if (!tstate)
		return false;
	*known = 0;
	if (!tstate__load(t, lay, tstate))
		return false;
	*known = at;
	return true;
}

/*
 * pthread_getspecific(auto TSS key): set for every thread that has a thread state, attached or not.
 * The key is made anew after a fork, hence remembered per thread only.
 */
static __always_inline u64 tstate__by_key(struct thread *t, const struct ct_pylayout *lay)
{
	u32 key[2] = {}; /* initialised, key */

	if (!(lay->flags & CT_PY_TSS_GLIBC))
		return 0;
	if (!t->tss_key) {
		if (bpf_probe_read_user(key, sizeof(key),
					(void *)(lay->runtime + lay->rt_tss_key - 4)) ||
		    !key[0] || key[1] >= 32)
			return 0;
		t->tss_key = key[1] + 1;
	}
	return thread__u64(t, thread__self(t, lay) + lay->pthread_specific +
				      16UL * (t->tss_key - 1) + 8);
}

/*
 * Visits that state, or, if it is none, goes on to the interpreter that py->interp names. 1: it is
 * that of this thread; 0: go on; -1: there are no more.
 */
CHECKED_ONCE(tstates__visit, u64, tstate)
{
	struct pystack *py = &t->py;

	if (tstate) {
		if (tstate__load(t, lay, tstate))
			return 1;
		/* A read that failed has left zeroes: on to the next interpreter. */
		py->frame = scratch__u64(t->scratch, lay->ts_next);
		return 0;
	}
	if (!py->interp || py->interps++ >= MAX_INTERPRETERS)
		return -1;
	py->frame = user__u64(py->interp + lay->interp_threads_head);
	py->interp = user__u64(py->interp + lay->interp_next);
	return 0;
}

/*
 * Every thread state of every interpreter, newest first: for libcs other than glibc. Meanwhile
 * py->frame is the next state and py->interp the next interpreter.
 */
static __always_inline bool tstate__by_list(struct thread *t, const struct ct_pylayout *lay)
{
	int found = 0;

	t->py.frame = 0;
	t->py.interps = 0;
	t->py.interp = user__u64(lay->runtime + lay->rt_interpreters_head);
	for (int i = 0; i < MAX_THREADS + MAX_INTERPRETERS && !found; i++)
		found = tstates__visit(t, lay, t->py.frame);
	return found > 0;
}

/* Leaves the thread state of the current thread in the scratch buffer, or the reason in py.unwind.
 */
static __always_inline bool tstate__find(struct thread *t, const struct ct_pylayout *lay)
{
	t->py.unwind = CT_UNWIND_NO_THREAD;
	if (!t->event.thread_pointer)
		return false;
	if (lay->flags & CT_PY_TLS &&
	    tstate__by_tls(t, lay, &t->tls_at[0], lay->tls_module, lay->tls_offset))
		return true;
	if (lay->flags & CT_PY_TLS2 &&
	    tstate__by_tls(t, lay, &t->tls_at[1], lay->tls2_module, lay->tls2_offset))
		return true;
	/* Before the key: of a thread that runs several interpreters only this one is attached. */
	if (lay->flags & CT_PY_TSTATE_CURRENT &&
	    tstate__load(t, lay, thread__u64(t, lay->runtime + lay->rt_tstate_current)))
		return true;
	if (tstate__load(t, lay, tstate__by_key(t, lay)))
		return true;
	/*
	 * A thread without a value for the key, or in the variable of the bound one, has no thread
	 * state: do not search, or every fault of a native thread would walk the list.
	 */
	if (t->tss_key || lay->flags & CT_PY_TLS2)
		return false;
	return tstate__by_list(t, lay);
}

#endif
