/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Python stack of the current thread: walks the frames from the one that its thread state
 * names. Bounded everywhere, always ends with a reason (enum ct_unwind). Plain reads of user memory
 * through a layout, so that tests can compile this file as user code.
 */
#ifndef COWTRACE_BPF_PYUNWIND_H
#define COWTRACE_BPF_PYUNWIND_H

/* A word of a frame in the slab; what the mask lets through beyond the frame is still in the
 * thread's state. */
static __always_inline u64 frame__u64(const u8 *frame, u32 offset)
{
	return *(const u64 *)(frame + (offset & 120));
}

static __always_inline s32 frame__s32(const u8 *frame, u32 offset)
{
	return *(const s32 *)(frame + (offset & 124));
}

static __always_inline bool slab__read(struct thread *t, u64 from, u64 len)
{
	t->py.slab_len = 0; /* a read that fails leaves zeroes */
	if (len > SLAB_SIZE || bpf_probe_read_user(t->slab, len, (void *)from))
		return false;
	t->py.slab = from;
	t->py.slab_len = len;
	return true;
}

/* Stacks that are no deeper are read frame by frame where that is a few loads: see frame__words. */
#define FEW_FRAMES 5

/* Of this frame the words that somebody asks for, to where a read of all of it would put them. */
static __always_inline bool frame__words(struct thread *t, const struct ct_pylayout *lay, u64 frame)
{
	const u32 at[] = {lay->fr_previous, lay->fr_code,  lay->fr_instr,
			  lay->fr_func,	    lay->fr_owner, lay->fr_tlbc};

	if (t->stack.nframes > FEW_FRAMES || t->py.nframes > FEW_FRAMES ||
	    !span__open(t, frame, lay->fr_size))
		return false;
	for (u32 i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		*(u64 *)(t->slab + (at[i] & 120)) = span__u64(&t->span, at[i] & 120);
	t->py.slab = frame;
	t->py.slab_len = span__held(&t->span) ? lay->fr_size : 0;
	return t->py.slab_len;
}

/*
 * Reads the frame, and more, into t->slab. From 3.11 on frames are pushed to one chunk of memory,
 * callers below their callees: one read brings about ten of them. Only the chunk in use is read
 * that way, never beyond its start: a read that fails costs as much as a fault. Others (generators,
 * older chunks, frames up to 3.10) come alone, as do those above a page that is not there.
 */
CHECKED_ONCE(frame__load, u64, frame)
{
	struct pystack *py = &t->py;
	u64 size = bound(lay->fr_size, CT_FRAME_READ_MAX), len = size, from = frame;

	if (frame__words(t, lay, frame))
		return true;
	if (frame > py->stack && frame < py->limit) {
		from = frame + size - SLAB_SIZE;
		if (from < py->stack || from > frame)
			from = py->stack;
		len = frame + size - from;
	}
	if (!slab__read(t, from, len) && (from == frame || !slab__read(t, frame, size)))
		return false;
	return true;
}

/* Where py->frame is in t->slab; beyond it: it can not be read. */
static __always_inline u64 frame__fetch(struct thread *t, const struct ct_pylayout *lay)
{
	struct pystack *py = &t->py;
	u64 frame = py->frame, end = frame + lay->fr_size;

	if ((frame < py->slab || end < frame || end > py->slab + py->slab_len) &&
	    !frame__load(t, lay, frame))
		return ~0UL;
	return frame - py->slab;
}

static __always_inline u32 offset__check(const struct ct_pylayout *lay, u64 offset)
{
	return offset < lay->code_size_max ? offset : CT_OFFSET_UNKNOWN;
}

/* Up to 3.10: f_lasti. */
static __always_inline u32 frame__lasti(const struct ct_pylayout *lay, const u8 *frame)
{
	s32 lasti = frame__s32(frame, lay->fr_instr);

	if (lasti < 0)
		return lasti == -1 ? CT_OFFSET_NOT_STARTED : CT_OFFSET_UNKNOWN;
	return offset__check(lay, (u64)lasti << !!(lay->flags & CT_PY_LASTI_UNITS));
}

/*
 * 3.14t+: the start of the copy of the bytecode that this frame executes, minus the offset of the
 * main one in the code object; 0: not known.
 */
static __always_inline u64 tlbc__base(const struct ct_pylayout *lay, u64 code, u64 index)
{
	u64 array = user__u64(code + lay->code_tlbc), copy = 0;

	if (array && index < user__u64(array)) /* its size; the entries follow */
		copy = user__u64(array + 8 + 8 * index);
	return copy ? copy - lay->code_adaptive : 0;
}

/* The other ways to say it: the verifier need not follow them in each frame. at: in t->slab. */
CHECKED_ONCE(frame__offset_of, u64, at)
{
	const u8 *frame;
	u64 code;
	s32 index;

	if (at > SLAB_SIZE)
		return CT_OFFSET_UNKNOWN;
	frame = t->slab + at;
	if (lay->flags & CT_PY_LASTI)
		return frame__lasti(lay, frame);
	code = frame__u64(frame, lay->fr_code) & ~3UL;
	index = frame__s32(frame, lay->fr_tlbc);
	if (index < 0)
		return CT_OFFSET_UNKNOWN;
	if (index > 0)
		code = tlbc__base(lay, code, index);
	return code ? offset__check(lay, frame__u64(frame, lay->fr_instr) - code)
		    : CT_OFFSET_UNKNOWN;
}

static __always_inline u32 frame__offset(struct thread *t, const struct ct_pylayout *lay,
					 const u8 *frame, u64 at, u64 code)
{
	if (lay->flags & (CT_PY_LASTI | CT_PY_TLBC))
		return frame__offset_of(t, lay, at);
	return code ? offset__check(lay, frame__u64(frame, lay->fr_instr) - code)
		    : CT_OFFSET_UNKNOWN;
}

/*
 * The check of frame n, whose code object is there: that of the last walks, if no code object has
 * been made since (py->known frames were checked in the time that goes on), else a look at it.
 */
static __always_inline u32 frame__checked(struct thread *t, const struct ct_pylayout *lay,
					  const struct ct_frame *last, u64 n, u64 code)
{
	if (n < t->py.known && last->code == code)
		return last->check;
	return frame__check(t, lay, code);
}

/* Frame n of the stack; py->changed: the last walk saw another one there. */
static __always_inline void frame__add(struct thread *t, const struct ct_pylayout *lay, u64 code,
				       u32 offset)
{
	u64 n = bound(t->py.nframes, CT_MAX_FRAMES - 1);
	struct ct_frame *at = &t->stack.frames[n];
	u32 check = frame__checked(t, lay, at, n, code);

	t->py.nframes = n + 1;
	t->py.above = *at;
	if (at->code == code && at->offset == offset && at->check == check)
		return;
	t->py.changed = 1;
	at->code = code;
	at->offset = offset;
	at->check = check;
}

/* Visits py->frame. Returns false at the end of the walk, with the reason in py->unwind. */
static __always_inline bool frame__visit(struct thread *t, const struct ct_pylayout *lay,
					 u32 max_frames)
{
	struct pystack *py = &t->py;
	u64 at, code;
	const u8 *frame;

	py->unwind = CT_UNWIND_COMPLETE;
	if (!py->frame)
		return false;
	py->unwind = CT_UNWIND_TOO_DEEP;
	if (py->nframes >= max_frames)
		return false;
	at = frame__fetch(t, lay);
	if (at > SLAB_SIZE) {
		py->unwind = CT_UNWIND_FRAME_UNREADABLE;
		return false;
	}
	frame = t->slab + at;
	py->frame = frame__u64(frame, lay->fr_previous);
	/* 3.12+: owner >= 3 marks the frame that C code pushes before it calls into Python. */
	if (lay->fr_owner && frame[lay->fr_owner & 127] >= 3)
		return true;
	if (!py->nframes)
		py->instr = frame__u64(frame, lay->fr_instr);
	py->func = frame__u64(frame, lay->fr_func);
	code = frame__u64(frame, lay->fr_code);
	if (lay->flags & CT_PY_TAGGED)
		code &= ~3UL;
	frame__add(t, lay, code, frame__offset(t, lay, frame, at, code));
	return true;
}

/* The next WALK_STEP frames. False: that was the last one. */
CHECKED_ONCE(frames__visit, u32, max_frames)
{
	for (int i = 0; i < WALK_STEP; i++)
		if (!frame__visit(t, lay, max_frames))
			return false;
	return true;
}

/* The next WALK_STEP frames of t->stack, from number `from` on, become part of py->id. */
CHECKED_ONCE(frames__mix, u32, from)
{
	u64 id = t->py.id;

	for (u64 i = 0; i < WALK_STEP; i++) {
		u64 n = bound(from + i, CT_MAX_FRAMES - 1);
		const struct ct_frame *frame = &t->stack.frames[n];

		if (from + i >= t->py.nframes)
			break;
		id = hash__mix(hash__mix(id, frame->code), (u64)frame->offset << 32 | frame->check);
	}
	t->py.id = id;
	return 0;
}

/* The id of the stack that t->stack holds now. */
static __always_inline void frames__hash(struct thread *t, const struct ct_pylayout *lay)
{
	struct pystack *py = &t->py;

	py->id = lay->cookie;
	for (u32 n = 0; n < CT_MAX_FRAMES && n < py->nframes; n += WALK_STEP)
		frames__mix(t, lay, n);
	t->stack.id = hash__mix(py->id, (u64)py->unwind << 8 | py->nframes);
	t->stack.nframes = py->nframes;
	t->stack.unwind = py->unwind;
	py->cookie = lay->cookie;
}

/* The last walk has seen the very same stack: its id need not be found again. */
static __always_inline bool frames__same(const struct thread *t, const struct ct_pylayout *lay)
{
	return !t->py.changed && t->stack.nframes == t->py.nframes &&
	       t->stack.unwind == t->py.unwind && t->py.cookie == lay->cookie;
}

/* Walks from the leaf; the frames are in t->stack, their hash in py->id. */
static __always_inline void frames__walk(struct thread *t, const struct ct_pylayout *lay,
					 u32 max_frames)
{
	struct pystack *py = &t->py;

	py->frame = py->leaf;
	py->nframes = 0;
	py->changed = 0;
	for (int i = 0; i < MAX_WALK / WALK_STEP; i++)
		if (!frames__visit(t, lay, max_frames))
			break;
	if (py->known < py->nframes)
		py->known = py->nframes;
	if (!frames__same(t, lay))
		frames__hash(t, lay);
	py->id = t->stack.id;
}

/* The interpreter of this thread is inside a garbage collection. */
static __always_inline bool gc__collecting(struct thread *t, const struct ct_pylayout *lay,
					   u64 interp)
{
	u64 at = lay->gc_collecting;

	if (!at && interp && lay->interp_gc_collecting)
		at = interp + lay->interp_gc_collecting;
	return at && thread__u32(t, at) == 1;
}

/* The chunk that frames are pushed to (3.11+). */
static __always_inline void pystack__chunk(struct thread *t, const struct ct_pylayout *lay)
{
	t->py.stack = t->py.limit = 0;
	if (!lay->ts_datastack)
		return;
	t->py.stack = scratch__u64(t->scratch, lay->ts_datastack);
	t->py.limit = scratch__u64(t->scratch, lay->ts_datastack + 16);
	if (t->event.addr >= t->py.stack && t->event.addr < t->py.limit)
		t->event.flags |= CT_F_DATASTACK;
}

/*
 * Finds the innermost frame of the current thread: py.leaf, or py.unwind says why there is none. A
 * function of its own, so that what it keeps on the stack is gone while the frames are walked. gc:
 * ask whether garbage is being collected.
 */
CHECKED_ONCE(pystack__begin, u32, gc)
{
	u64 frame;

	t->py.leaf = 0;
	t->py.nframes = 0;
	t->py.slab_len = 0;
	if (!tstate__find(t, lay))
		return 0;
	t->py.interp = scratch__u64(t->scratch, lay->ts_interp);
	pystack__chunk(t, lay);
	frame = scratch__u64(t->scratch, lay->ts_frame);
	if (gc && gc__collecting(t, lay, t->py.interp))
		t->event.flags |= CT_F_GC_COLLECTING;
	if (frame && lay->flags & CT_PY_CFRAME)
		frame = thread__u64(t, frame + lay->cframe_current);
	t->py.leaf = frame;
	if (!frame)
		t->py.unwind = CT_UNWIND_NO_FRAME;
	t->py.interp_key = interp__key(t, lay);
	code__begin(t, lay);
	return 0;
}

#endif
