/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Python stack of the current thread: finds its thread state, then walks the frames. Bounded
 * everywhere, always ends with a reason (enum ct_unwind). Plain reads of user memory through a
 * layout, so that tests can compile this file as user code.
 */
#ifndef COWTRACE_BPF_PYUNWIND_H
#define COWTRACE_BPF_PYUNWIND_H

#include <cowtrace/digest.h>

/* The verifier wants to see the bound of every offset into the scratch buffer. */
static __always_inline u64 scratch__u64(const u8 *scratch, u32 offset)
{
	return *(const u64 *)(scratch + (offset & (SCRATCH_SIZE - 1 - 7)));
}

/* The same for a frame in the slab; what the mask lets through beyond the frame is still in the
 * thread's state. */
static __always_inline u64 frame__u64(const u8 *frame, u32 offset)
{
	return *(const u64 *)(frame + (offset & 120));
}

static __always_inline u64 user__u64(u64 addr)
{
	u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)addr);
	return value;
}

/* Reads a thread state into the scratch buffer, up to the last member that is used, if it is that
 * of this thread. */
static __always_inline bool tstate__load(struct thread *t, const struct ct_pylayout *lay,
					 u64 tstate, u64 thread_pointer)
{
	u32 size = (lay->ts_datastack + 24) & (SCRATCH_SIZE - 1);

	return tstate && !bpf_probe_read_user(t->scratch, size, (void *)tstate) &&
	       scratch__u64(t->scratch, lay->ts_thread_id) == thread_pointer;
}

/*
 * pthread_getspecific(auto TSS key): set for every thread that has a thread state, attached or not.
 * The key is made anew after a fork, hence remembered per thread only.
 */
static __always_inline u64 tstate__by_key(struct thread *t, const struct ct_pylayout *lay,
					  u64 thread_pointer)
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
	return user__u64(thread_pointer + lay->pthread_specific + 16 * (t->tss_key - 1) + 8);
}

/* Every thread state of the main interpreter, newest first: for libcs other than glibc. */
static __noinline bool tstate__by_list(struct thread *t, const struct ct_pylayout *lay,
				       u64 thread_pointer)
{
	u64 interp = user__u64(lay->runtime + lay->rt_interpreters_head);
	u64 tstate = interp ? user__u64(interp + lay->interp_threads_head) : 0;

	for (int i = 0; i < MAX_THREADS && tstate; i++) {
		if (tstate__load(t, lay, tstate, thread_pointer))
			return true;
		tstate = scratch__u64(t->scratch, lay->ts_next);
	}
	return false;
}

/* Leaves the thread state of the current thread in the scratch buffer. */
static __always_inline bool tstate__find(struct thread *t, const struct ct_pylayout *lay,
					 u64 thread_pointer)
{
	if (tstate__load(t, lay, tstate__by_key(t, lay, thread_pointer), thread_pointer))
		return true;
	if (lay->flags & CT_PY_TSTATE_CURRENT &&
	    tstate__load(t, lay, user__u64(lay->runtime + lay->rt_tstate_current), thread_pointer))
		return true;
	/* On glibc a thread without a value for the key has no thread state: do not search, or
	 * every fault of a native thread would walk the list. */
	if (t->tss_key)
		return false;
	return tstate__by_list(t, lay, thread_pointer);
}

#define FRAME_READ 88

static __always_inline u64 stack__mix(u64 hash, u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15UL;
	return hash ^ hash >> 29;
}

/*
 * Makes the frame readable in t->slab. Frames are pushed to one chunk of memory, callers below
 * their callees: one read brings about a dozen of them. Only the chunk in use is read that way,
 * never beyond its start: a read that fails costs as much as a fault. Others (generators, older
 * chunks) come alone.
 */
static __always_inline bool frame__fetch(struct thread *t)
{
	struct pystack *py = &t->py;
	u64 frame = py->frame, from = frame;
	u64 len = FRAME_READ;

	if (frame >= py->slab && frame + FRAME_READ <= py->slab + py->slab_len) {
		py->slab_offset = frame - py->slab;
		return true;
	}
	if (frame > py->stack && frame < py->limit) {
		from = frame + FRAME_READ - SLAB_SIZE;
		if (from < py->stack || from > frame)
			from = py->stack;
		len = frame + FRAME_READ - from;
	}
	py->slab_len = 0; /* a read that fails leaves zeroes */
	if (len > SLAB_SIZE || bpf_probe_read_user(t->slab, len, (void *)from))
		return false;
	py->slab = from;
	py->slab_len = len;
	py->slab_offset = frame - from;
	return true;
}

/* One frame; leaves the next one in py->frame. */
static __always_inline bool frame__read(struct thread *t, const struct ct_pylayout *lay,
					struct ct_frame *out, bool *shim)
{
	const u8 *frame;
	u64 offset;

	if (!frame__fetch(t))
		return false;
	offset = t->py.slab_offset;
	if (offset > SLAB_SIZE - FRAME_READ)
		return false;
	frame = t->slab + offset;
	out->code = frame__u64(frame, lay->fr_code);
	t->py.frame = frame__u64(frame, lay->fr_previous);
	/* 3.12+: owner >= 3 marks the frame that C code pushes before it calls into Python. */
	*shim = frame[lay->fr_owner & 127] >= 3;
	offset = frame__u64(frame, lay->fr_instr) - out->code;
	out->offset = offset < lay->code_size_max ? offset : ~0u;
	return true;
}

/* The hash of a str object; 0 if it can not be read. */
static __always_inline u64 str__hash(const struct ct_pylayout *lay, u64 str)
{
	return str ? user__u64(str + lay->str_hash) : 0;
}

/*
 * Tells whether a code object is still the one that userspace reads later: see ct_code_digest. Of
 * every frame, every time: a freed code object's place is taken by the next one at once, at the
 * same depth of the stack, with the same caller and the same pointers.
 */
static __noinline u32 frame__check(struct thread *t, const struct ct_pylayout *lay, u64 code)
{
	u64 words[CT_CODE_WORDS] = {}, table[1 + CT_TABLE_WORDS] = {}, at;
	u32 size = lay->code_size;

	if (size > CT_CODE_READ_MAX || bpf_probe_read_user(t->scratch, size, (void *)code))
		return 0;
	for (int i = 0; i < CT_CODE_WORDS; i++)
		if (lay->code_words[i])
			words[i] = scratch__u64(t->scratch, lay->code_words[i]);
	if (lay->version < 0x030c) {
		at = scratch__u64(t->scratch, lay->code_table);
		table[0] = user__u64(at + lay->bytes_size);
		bpf_probe_read_user(&table[1], 8 * CT_TABLE_WORDS, (void *)(at + lay->bytes_data));
	}
	return ct_code_digest(words, str__hash(lay, scratch__u64(t->scratch, lay->code_name)),
			      table);
}

/* Asks about the record itself: what the verifier of 6.1 learns of a pointer made from it is too
 * little. */
static __always_inline void frame__add(struct pystack *py, const struct ct_frame *frame,
				       struct ct_stack *record)
{
	u32 n = py->nframes;

	py->id = stack__mix(stack__mix(py->id, frame->code),
			    (u64)frame->offset << 32 | frame->check);
	if (record && n < CT_MAX_FRAMES)
		record->frames[n] = *frame;
	py->nframes = n + 1;
}

/*
 * Visits py->frame. Returns false at the end of the walk, with the reason in py->unwind. Neither
 * static nor inlined: then the verifier checks it once, and not for each frame of each caller.
 */
__noinline bool frame__visit(struct thread *t, const struct ct_pylayout *lay,
			     struct ct_stack *record)
{
	struct ct_frame frame = {};
	bool shim;

	if (!t || !lay)
		return false;
	t->py.unwind = CT_UNWIND_COMPLETE;
	if (!t->py.frame)
		return false;
	t->py.unwind = CT_UNWIND_TOO_DEEP;
	if (t->py.nframes >= CT_MAX_FRAMES)
		return false;
	t->py.unwind = CT_UNWIND_FRAME_UNREADABLE;
	if (!frame__read(t, lay, &frame, &shim))
		return false;
	t->py.unwind = CT_UNWIND_TOO_DEEP;
	if (shim)
		return true;
	frame.check = frame__check(t, lay, frame.code);
	frame__add(&t->py, &frame, record);
	return true;
}

/*
 * Walks from the leaf. Without a record it only makes the id; a second walk stores the frames. The
 * thread is in its own fault: nothing can change in between.
 */
static __always_inline void frames__walk(struct thread *t, const struct ct_pylayout *lay,
					 struct ct_stack *record)
{
	struct pystack *py = &t->py;

	py->id = lay->cookie;
	py->frame = py->leaf;
	py->nframes = 0;
	for (int i = 0; i < MAX_WALK; i++)
		if (!frame__visit(t, lay, record))
			break;
	py->id = stack__mix(py->id, (u64)py->unwind << 8 | py->nframes);
}

/* The interpreter of this thread is inside a garbage collection. */
static __always_inline bool gc__collecting(const struct ct_pylayout *lay, u64 interp)
{
	u64 at = lay->gc_collecting ?: interp + lay->interp_gc_collecting;
	u32 collecting = 0;

	return !bpf_probe_read_user(&collecting, sizeof(collecting), (void *)at) && collecting == 1;
}

/* Finds the innermost frame of the current thread: py.leaf, or py.unwind says why there is none. */
static __always_inline void pystack__begin(struct thread *t, const struct ct_pylayout *lay)
{
	struct ct_copy *ev = &t->event;
	u64 frame;

	t->py.leaf = 0;
	if (!tstate__find(t, lay, ev->thread_pointer)) {
		t->py.unwind = CT_UNWIND_NO_THREAD;
		return;
	}
	if (gc__collecting(lay, scratch__u64(t->scratch, lay->ts_interp)))
		ev->flags |= CT_F_GC_COLLECTING;
	t->py.stack = scratch__u64(t->scratch, lay->ts_datastack);
	t->py.limit = scratch__u64(t->scratch, lay->ts_datastack + 16);
	t->py.slab_len = 0;
	frame = scratch__u64(t->scratch, lay->ts_frame);
	if (frame && lay->flags & CT_PY_CFRAME)
		frame = user__u64(frame + lay->cframe_current);
	t->py.leaf = frame;
	if (!frame)
		t->py.unwind = CT_UNWIND_NO_FRAME;
	else if (ev->addr >= t->py.stack && ev->addr < t->py.limit)
		ev->flags |= CT_F_DATASTACK;
}

#endif
