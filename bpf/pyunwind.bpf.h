/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Python stack of the current thread: walks the frames from the one that its thread state
 * names. Bounded everywhere, always ends with a reason (enum ct_unwind). Plain reads of user memory
 * through a layout, so that tests can compile this file as user code.
 */
#ifndef COWTRACE_BPF_PYUNWIND_H
#define COWTRACE_BPF_PYUNWIND_H

/* So much is read behind the head of a string: nearly all names. */
#define STR_AHEAD 96

/* co_version, which is unique for each code object of an interpreter. */
#define VERSION_WITH_CODE_VERSION 0x030c

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

/*
 * Makes the frame readable in t->slab. From 3.11 on frames are pushed to one chunk of memory,
 * callers below their callees: one read brings about a dozen of them. Only the chunk in use is read
 * that way, never beyond its start: a read that fails costs as much as a fault. Others (generators,
 * older chunks, frames up to 3.10) come alone, as do those above a page that is not there.
 */
static __always_inline bool frame__fetch(struct thread *t, const struct ct_pylayout *lay)
{
	struct pystack *py = &t->py;
	u64 frame = py->frame, from = frame;
	u64 size = bound(lay->fr_size, CT_FRAME_READ_MAX), len = size;

	if (frame >= py->slab && frame + size <= py->slab + py->slab_len) {
		py->slab_offset = frame - py->slab;
		return true;
	}
	if (frame > py->stack && frame < py->limit) {
		from = frame + size - SLAB_SIZE;
		if (from < py->stack || from > frame)
			from = py->stack;
		len = frame + size - from;
	}
	if (!slab__read(t, from, len)) {
		if (from == frame || !slab__read(t, frame, size))
			return false;
		from = frame;
	}
	py->slab_offset = frame - from;
	return true;
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

static __always_inline u32 frame__offset(const struct ct_pylayout *lay, const u8 *frame, u64 code)
{
	s32 index = lay->flags & CT_PY_TLBC ? frame__s32(frame, lay->fr_tlbc) : 0;

	if (lay->flags & CT_PY_LASTI)
		return frame__lasti(lay, frame);
	if (index < 0)
		return CT_OFFSET_UNKNOWN;
	if (index > 0)
		code = tlbc__base(lay, code, index);
	return code ? offset__check(lay, frame__u64(frame, lay->fr_instr) - code)
		    : CT_OFFSET_UNKNOWN;
}

/*
 * The last bytes of a string of which `len` bytes are in the scratch buffer; at: where they are in
 * it. What can not be read is zero.
 */
static __always_inline void str__tail(struct thread *t, u64 str, u64 len, u64 at,
				      u64 tail[CT_STR_WORDS])
{
	if (at + 8 * CT_STR_WORDS > len) {
		bpf_probe_read_user(tail, 8 * CT_STR_WORDS, (void *)(str + at));
		return;
	}
	at &= SCRATCH_SIZE / 2 - 1;
	for (int i = 0; i < CT_STR_WORDS; i++)
		tail[i] = *(const u64 *)(t->scratch + at + 8 * i);
}

/*
 * ct_str_digest() of a str object, 0 if it can not be read. The text lies behind the head: unless
 * memory ends there, one read brings both. Not static: verified once.
 */
CHECKED_ONCE(str__digest, u64, str)
{
	u64 tail[CT_STR_WORDS] = {}, head, len, hash, size, at;
	u32 state;

	if (!str)
		return 0;
	head = bound(lay->str_ascii_data, SCRATCH_SIZE / 2 - STR_AHEAD);
	len = head + STR_AHEAD;
	if (bpf_probe_read_user(t->scratch, len, (void *)str)) {
		len = head;
		if (bpf_probe_read_user(t->scratch, len, (void *)str))
			return 0;
	}
	hash = scratch__u64(t->scratch, lay->str_hash);
	state = scratch__u32(t->scratch, lay->str_state) >> (lay->str_kind_shift & 31);
	size = scratch__u64(t->scratch, lay->str_length) * (state & 7);
	at = state & 16 ? lay->str_ascii_data : lay->str_compact_data;
	if (size > sizeof(tail))
		at += size - sizeof(tail);
	if (hash == ~0UL)
		str__tail(t, str, len, at, tail);
	return ct_str_digest(hash, size, tail);
}

/* The same of a file's name, once in a walk: the functions of a file share it, and what the stack
 * refers to stays. */
static __always_inline u32 file__digest(struct thread *t, const struct ct_pylayout *lay, u64 str)
{
	struct file_memo *memo = &t->files[(str >> 4 ^ str >> 8) & (FILE_MEMOS - 1)];

	if (memo->str != str || memo->walk != (u32)t->py.walks) {
		memo->digest = str__digest(t, lay, str);
		memo->str = str;
		memo->walk = t->py.walks;
	}
	return memo->digest;
}

/* Size and first bytes of the line table, with one read if they lie as they always have. */
static __always_inline void table__read(struct thread *t, const struct ct_pylayout *lay, u64 at,
					u64 table[1 + CT_TABLE_WORDS])
{
	u64 skip = lay->bytes_data - lay->bytes_size;
	u64 len = skip + 8 * CT_TABLE_WORDS;

	if (!at)
		return;
	if (len > SCRATCH_SIZE ||
	    bpf_probe_read_user(t->scratch, len, (void *)(at + lay->bytes_size))) {
		table[0] = user__u64(at + lay->bytes_size);
		bpf_probe_read_user(&table[1], 8 * CT_TABLE_WORDS, (void *)(at + lay->bytes_data));
		return;
	}
	table[0] = scratch__u64(t->scratch, 0);
	table[1] = scratch__u64(t->scratch, skip);
	table[2] = scratch__u64(t->scratch, skip + 8);
	table[3] = scratch__u64(t->scratch, skip + 16);
	table[4] = scratch__u64(t->scratch, skip + 24);
}

/*
 * What tells this thread's interpreter from all others that it runs, or has run. A
 * sub-interpreter's memory is soon that of the next one, which has another id. Up to 3.12 ids are
 * not needed: one count numbers the code objects of all of them.
 */
static __always_inline u64 interp__key(struct thread *t, const struct ct_pylayout *lay)
{
	u64 key = hash__mix(t->py.interp, t->execs);

	if (!lay->interp_id || t->py.interp == lay->main_interpreter)
		return key;
	return hash__mix(key, user__u64(t->py.interp + lay->interp_id));
}

/*
 * Names a time in which no code object can have taken the place of another one that is on this
 * thread's stack: this walk (the stack holds references); where the interpreter counts the code
 * objects that it makes, until the next one is made. It counts each of them before it can run
 * (init_code(), 3.13 to 3.15; free-threaded builds do so under a lock), and no interpreter runs the
 * code of another one: so what is at a freed one's address has raised the count since. The count
 * ends at 0 and stays there: then there is no such time beyond the walk.
 */
static __always_inline void code__begin(struct thread *t, const struct ct_pylayout *lay)
{
	struct pystack *py = &t->py;
	u32 count = 0;

	py->walks++;
	if (lay->interp_code_count && py->interp)
		bpf_probe_read_user(&count, sizeof(count),
				    (void *)(py->interp + lay->interp_code_count));
	if (!count || count != py->count || py->interp_key != py->count_key)
		py->known = 0;
	py->count = count;
	py->count_key = py->interp_key;
	py->era = count ? hash__mix(py->interp_key, count) : hash__mix(0, py->walks);
}

/*
 * What tells a code object from all others of the process, without a look at its strings; 0:
 * nothing does. From 3.12 on it has a number that its interpreter gives to no other one
 * (co_version; 0 once the numbers have run out).
 */
static __always_inline u64 code__words_key(struct thread *t, const struct ct_pylayout *lay,
					   const u64 words[CT_CODE_WORDS])
{
	u64 key = t->py.interp_key;

	if (lay->version < VERSION_WITH_CODE_VERSION || !(words[4] >> 32))
		return 0;
	for (int i = 0; i < CT_CODE_WORDS; i++)
		key = hash__mix(key, words[i]);
	return key;
}

static __always_inline void code__words(struct thread *t, const struct ct_pylayout *lay,
					u64 words[CT_CODE_WORDS])
{
	for (int i = 0; i < CT_CODE_WORDS; i++)
		words[i] = lay->code_words[i] ? scratch__u64(t->scratch, lay->code_words[i]) : 0;
}

/*
 * Tells whether a code object is still the one that userspace reads later: see ct_code_digest. A
 * freed code object's place is taken by the next one at once, at the same depth of the stack, with
 * the same caller and the same pointers: nothing less than its contents will do. 0: unreadable.
 */
CHECKED_ONCE(frame__check, u64, code)
{
	u64 words[CT_CODE_WORDS], table[1 + CT_TABLE_WORDS] = {}, file, name, at, key;
	struct code_memo *memo = &t->codes[(code >> 4 ^ code >> 10) & (CODE_MEMOS - 1)];

	if (memo->code == code && memo->era == t->py.era)
		return memo->check;
	if (bpf_probe_read_user(t->scratch, bound(lay->code_size, CT_CODE_READ_MAX), (void *)code))
		return 0;
	code__words(t, lay, words);
	key = code__words_key(t, lay, words);
	if (!key || memo->code != code || memo->words != key) {
		file = scratch__u64(t->scratch, lay->code_file);
		name = scratch__u64(t->scratch, lay->code_name);
		at = scratch__u64(t->scratch, lay->code_table);
		table__read(t, lay, at, table);
		name = (u32)str__digest(t, lay, name) | (u64)file__digest(t, lay, file) << 32;
		memo->check = ct_code_digest(words, name, table);
		memo->words = key;
		memo->code = code;
	}
	memo->era = t->py.era;
	return memo->check;
}

/*
 * The check of frame n, whose code object is there: that of the last walks, if no code object has
 * been made since (py->known frames were checked in the time that goes on), else a look at it.
 */
static __always_inline u32 frame__checked(struct thread *t, const struct ct_pylayout *lay,
					  const struct ct_frame *last, u32 n, u64 code)
{
	if (n < t->py.known && last->code == code)
		return last->check;
	return frame__check(t, lay, code);
}

/* Frame n of the stack; py->changed: the last walk saw another one there. */
static __always_inline void frame__add(struct thread *t, const struct ct_pylayout *lay, u32 n,
				       u64 code, u32 offset)
{
	struct ct_frame *at = &t->stack.frames[n];
	u32 check = frame__checked(t, lay, at, n, code);

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
	u32 n = t->py.nframes;
	const u8 *frame;
	u64 offset, code;

	t->py.unwind = CT_UNWIND_COMPLETE;
	if (!t->py.frame)
		return false;
	t->py.unwind = CT_UNWIND_TOO_DEEP;
	if (n >= max_frames || n >= CT_MAX_FRAMES)
		return false;
	t->py.unwind = CT_UNWIND_FRAME_UNREADABLE;
	if (!frame__fetch(t, lay))
		return false;
	offset = t->py.slab_offset;
	if (offset > SLAB_SIZE)
		return false;
	t->py.unwind = CT_UNWIND_TOO_DEEP;
	frame = t->slab + offset;
	t->py.frame = frame__u64(frame, lay->fr_previous);
	/* 3.12+: owner >= 3 marks the frame that C code pushes before it calls into Python. */
	if (lay->fr_owner && frame[lay->fr_owner & 127] >= 3)
		return true;
	if (!n)
		t->py.instr = frame__u64(frame, lay->fr_instr);
	code = frame__u64(frame, lay->fr_code);
	if (lay->flags & CT_PY_TAGGED)
		code &= ~3UL;
	frame__add(t, lay, n, code, frame__offset(lay, frame, code));
	t->py.nframes = n + 1;
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

/* The id of the stack that t->stack holds now. */
CHECKED_ONCE(frames__hash, u32, max_frames)
{
	u64 id = lay->cookie;
	u32 n = bound(t->py.nframes, max_frames);

	for (u32 i = 0; i < CT_MAX_FRAMES && i < n; i++) {
		const struct ct_frame *frame = &t->stack.frames[i];

		id = hash__mix(hash__mix(id, frame->code), (u64)frame->offset << 32 | frame->check);
	}
	t->stack.id = hash__mix(id, (u64)t->py.unwind << 8 | n);
	t->stack.nframes = n;
	t->stack.unwind = t->py.unwind;
	t->py.cookie = lay->cookie;
	return 0;
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
	py->interp_key = interp__key(t, lay);
	code__begin(t, lay);
	for (int i = 0; i < MAX_WALK / WALK_STEP; i++)
		if (!frames__visit(t, lay, max_frames))
			break;
	if (py->known < py->nframes)
		py->known = py->nframes;
	if (!frames__same(t, lay))
		frames__hash(t, lay, max_frames);
	py->id = t->stack.id;
}

/* The interpreter of this thread is inside a garbage collection. */
static __always_inline bool gc__collecting(const struct ct_pylayout *lay, u64 interp)
{
	u64 at = lay->gc_collecting;
	u32 collecting = 0;

	if (!at && interp && lay->interp_gc_collecting)
		at = interp + lay->interp_gc_collecting;
	return at && !bpf_probe_read_user(&collecting, sizeof(collecting), (void *)at) &&
	       collecting == 1;
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

/* Finds the innermost frame of the current thread: py.leaf, or py.unwind says why there is none. */
static __always_inline void pystack__begin(struct thread *t, const struct ct_pylayout *lay)
{
	u64 frame;

	t->py.leaf = 0;
	t->py.nframes = 0;
	t->py.slab_len = 0;
	if (!tstate__find(t, lay))
		return;
	t->py.interp = scratch__u64(t->scratch, lay->ts_interp);
	/* What is known to be a count needs no more evidence. */
	if (!t->counted && gc__collecting(lay, t->py.interp))
		t->event.flags |= CT_F_GC_COLLECTING;
	pystack__chunk(t, lay);
	frame = scratch__u64(t->scratch, lay->ts_frame);
	if (frame && lay->flags & CT_PY_CFRAME)
		frame = user__u64(frame + lay->cframe_current);
	t->py.leaf = frame;
	if (!frame)
		t->py.unwind = CT_UNWIND_NO_FRAME;
}

#endif
