/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is the code object at an address still the one that was there before? Its check says so, and what
 * proves that it need not be made again.
 */
#ifndef COWTRACE_BPF_PYCODE_H
#define COWTRACE_BPF_PYCODE_H

/* So much is read behind the head of a string: nearly all names. */
#define STR_AHEAD 96

/* co_version, which is unique for each code object of an interpreter. */
#define VERSION_WITH_CODE_VERSION 0x030c

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

/* Where the text is in a str object, or its end if that is longer than what is looked at. */
static __always_inline u64 str__text(struct str_words *w, const struct ct_pylayout *lay, u64 length,
				     u32 state)
{
	u64 at = state & 16 ? lay->str_ascii_data : lay->str_compact_data;

	w->size = length * (state & 7);
	return w->size > sizeof(w->tail) ? at + w->size - sizeof(w->tail) : at;
}

/* All of it that counts is on one page: of most it is the hash, and nothing else. */
static __always_inline bool str__words(struct thread *t, const struct ct_pylayout *lay, u64 str,
				       struct str_words *w)
{
	u64 at;

	if (!span__open(t, str, bound(lay->str_ascii_data, SCRATCH_SIZE)))
		return false;
	w->hash = span__u64(&t->span, lay->str_hash);
	if (w->hash != ~0UL)
		return span__held(&t->span);
	at = str__text(w, lay, span__u64(&t->span, lay->str_length),
		       (u32)span__u64(&t->span, lay->str_state) >> (lay->str_kind_shift & 31));
	if ((str & (PAGE_SIZE - 1)) + at + sizeof(w->tail) > PAGE_SIZE)
		return false;
	for (int i = 0; i < CT_STR_WORDS; i++)
		w->tail[i] = span__u64(&t->span, at + 8 * i);
	return span__held(&t->span);
}

/* The text lies behind the head: unless memory ends there, one read brings both. */
static __always_inline bool str__read(struct thread *t, const struct ct_pylayout *lay, u64 str,
				      struct str_words *w)
{
	u64 head = bound(lay->str_ascii_data, SCRATCH_SIZE / 2 - STR_AHEAD);
	u64 len = head + STR_AHEAD, at;

	if (bpf_probe_read_user(t->scratch, len, (void *)str)) {
		len = head;
		if (bpf_probe_read_user(t->scratch, len, (void *)str))
			return false;
	}
	w->hash = scratch__u64(t->scratch, lay->str_hash);
	at = str__text(w, lay, scratch__u64(t->scratch, lay->str_length),
		       scratch__u32(t->scratch, lay->str_state) >> (lay->str_kind_shift & 31));
	if (w->hash == ~0UL)
		str__tail(t, str, len, at, w->tail);
	return true;
}

/* Not static: verified once. */
CHECKED_ONCE(str__read_digest, u64, str)
{
	struct str_words *w = &t->str;

	*w = (struct str_words){};
	return str && str__read(t, lay, str, w) ? ct_str_digest(w->hash, w->size, w->tail) : 0;
}

/* ct_str_digest() of a str object, 0 if it can not be read. */
static __always_inline u32 str__digest(struct thread *t, const struct ct_pylayout *lay, u64 str)
{
	struct str_words *w = &t->str;

	if (str__words(t, lay, str, w))
		return ct_str_digest(w->hash, w->size, w->tail);
	return str__read_digest(t, lay, str);
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

/* The same, of one page. */
static __always_inline bool table__words(struct thread *t, const struct ct_pylayout *lay, u64 at,
					 u64 table[1 + CT_TABLE_WORDS])
{
	u64 skip = lay->bytes_data - lay->bytes_size;
	if (!span__open(t, at + lay->bytes_size, skip + 8 * CT_TABLE_WORDS))
		return false;
	table[0] = span__u64(&t->span, 0);
	for (int i = 0; i < CT_TABLE_WORDS; i++)
		table[1 + i] = span__u64(&t->span, skip + 8 * i);
	return span__held(&t->span);
}

/* Size and first bytes of the line table, with one read if they lie as they always have. */
static __always_inline void table__read(struct thread *t, const struct ct_pylayout *lay, u64 at,
					u64 table[1 + CT_TABLE_WORDS])
{
	u64 skip = lay->bytes_data - lay->bytes_size;
	u64 len = skip + 8 * CT_TABLE_WORDS;

	if (!at || table__words(t, lay, at, table))
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
	return hash__mix(key, thread__u64(t, t->py.interp + lay->interp_id));
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
	if (py->interp_key != py->count_key)
		__builtin_memset(t->versions, 0, sizeof(t->versions));
	if (lay->interp_code_count && py->interp)
		count = thread__u32(t, py->interp + lay->interp_code_count);
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

/* From the scratch buffer. */
static __always_inline void code__words(struct thread *t, const struct ct_pylayout *lay,
					struct code_look *look)
{
	for (int i = 0; i < CT_CODE_WORDS; i++)
		look->words[i] =
			lay->code_words[i] ? scratch__u64(t->scratch, lay->code_words[i]) : 0;
	look->file = scratch__u64(t->scratch, lay->code_file);
	look->name = scratch__u64(t->scratch, lay->code_name);
	look->line_table = scratch__u64(t->scratch, lay->code_table);
}

/*
 * 3.11: what tells the code object that a frame's function had when its version was looked at from
 * all others that are at its address before or after; 0: nothing does.
 *
 * A version is given to one function once: _PyFunction_GetVersionForCurrentState() is the only one
 * that does, it counts one static variable up for all interpreters, and gives no more once that has
 * come to 0 (funcobject.c). It is set to 0 before func_code changes (func_set_code), when other
 * things of the function change, when it is freed (func_clear), and where it is made. So while a
 * function has version v, which is one piece of time, it has one and the same code object K, and
 * keeps it alive. Say that v was seen in two walks, each time below a frame of that function that
 * executes what is at address C. A frame has its code object from its function when it is made, and
 * holds it (_PyFrame_InitializeSpecials). If the second frame was made while the function had v,
 * what is at C is K, and was at the first walk. If it was made before, it was there at the first
 * walk, and holds since then what is at C. Either way C is what it was.
 *
 * Read in 3.11.2; of 3.11.7 only the structs were compared. From 3.12 on the number is that of the
 * code object, and a frame need not name a function.
 */
static __always_inline u64 code__function_key(const struct thread *t, u32 version)
{
	return version ? hash__mix(hash__mix(t->py.interp_key, t->py.func), version) : 0;
}

CHECKED_ONCE(function__version, u64, func)
{
	return thread__u32(t, func + lay->func_version);
}

static __always_inline bool code__span(struct thread *t, const struct ct_pylayout *lay,
				       struct code_look *look, u64 code, u64 size)
{
	if (!span__open(t, code, size))
		return false;
	for (int i = 0; i < CT_CODE_WORDS; i++)
		look->words[i] = lay->code_words[i] ? span__u64(&t->span, lay->code_words[i]) : 0;
	look->file = span__u64(&t->span, lay->code_file);
	look->name = span__u64(&t->span, lay->code_name);
	look->line_table = span__u64(&t->span, lay->code_table);
	return span__held(&t->span);
}

static __always_inline bool code__read(struct thread *t, const struct ct_pylayout *lay,
				       struct code_look *look, u64 code)
{
	u64 size = bound(lay->code_size, CT_CODE_READ_MAX);

	if (code__span(t, lay, look, code, size))
		return true;
	if (bpf_probe_read_user(t->scratch, size, (void *)code))
		return false;
	code__words(t, lay, look);
	return true;
}

/*
 * Tells whether a code object is still the one that userspace reads later: see ct_code_digest. A
 * freed code object's place is taken by the next one at once, at the same depth of the stack, with
 * the same caller and the same pointers: nothing less than its contents will do. 0: unreadable.
 */
static __always_inline u32 code__look(struct thread *t, const struct ct_pylayout *lay,
				      struct code_memo *memo, u64 code, u64 key)
{
	struct code_look *look = &t->look;
	u64 strings;

	if (!code__read(t, lay, look, code))
		return 0;
	if (!lay->func_version)
		key = code__words_key(t, lay, look->words);
	if (!key || memo->code != code || memo->key != key) {
		__builtin_memset(look->table, 0, sizeof(look->table));
		table__read(t, lay, look->line_table, look->table);
		strings = (u32)str__digest(t, lay, look->name);
		strings |= (u64)file__digest(t, lay, look->file) << 32;
		memo->check = ct_code_digest(look->words, strings, look->table);
		memo->key = key;
		memo->code = code;
	}
	memo->era = t->py.era;
	return memo->check;
}

/*
 * Functions that run once have no version, and it costs a read to see that: they are asked again
 * now and then only.
 */
static __always_inline bool function__may_have_version(const struct thread *t,
						       const struct code_memo *memo, u64 code)
{
	return memo->code != code || memo->key || !(t->py.walks % 16);
}

/*
 * The check of a code object that has been checked in the time that goes on, as that of a frame
 * near by: the stack is one frame deeper than at the last walk, or one less deep. The frame is
 * number py->nframes. What it says of a code object it says of all that execute it.
 */
static __always_inline const struct ct_frame *frame__near(const struct thread *t, u64 code)
{
	u64 n = t->py.nframes, next = bound(n + 1, CT_MAX_FRAMES - 1);

	if (n && n <= t->py.known && t->py.above.code == code)
		return &t->py.above;
	if (n + 1 < t->py.known && t->stack.frames[next].code == code)
		return &t->stack.frames[next];
	return NULL;
}

/* The places that a code object may have: two pairs. */
#define CODE_PLACES 4

static __always_inline u32 code__place(u64 code, u32 n)
{
	u64 at = n & 2 ? code >> 7 ^ code >> 13 : code >> 4 ^ code >> 10;

	return (at ^ (n & 1)) & (CODE_MEMOS - 1);
}

/* `to` if one is 1, `at` if it is 0; without a branch, as all below: the verifier follows both. */
static __always_inline u32 place__pick(u32 at, u32 to, u64 one)
{
	return at ^ ((at ^ to) & -(u32)one);
}

/* Of walks, by their last byte. One more, so that what is new is of none. */
static __always_inline u8 code__walk(const struct thread *t)
{
	return t->py.walks + 1;
}

/*
 * Not in its first place: in another one, or else one that neither this walk nor the last one asked
 * for. Stacks come again, and are walked in the same order: one that took the place of the least
 * recently used would take that of one of its own callers, and find none of a stack that is a
 * little too deep. So those that find no place are looked at each time, in the last one, and leave
 * the others theirs.
 */
static __always_inline u32 code__elsewhere(const struct thread *t, u64 code)
{
	u32 found = CODE_MEMOS - 1;

	/* Backwards: the first one is found soonest. */
	for (u32 n = CODE_PLACES; n-- > 0;) {
		u32 at = code__place(code, n);
		u8 age = code__walk(t) - t->code_walks[at];

		found = place__pick(found, at, (1 - (u64)age) >> 63);
	}
	for (u32 n = 1; n < CODE_PLACES; n++) {
		u32 at = code__place(code, n);
		u64 differs = t->codes[at].code ^ code;

		found = place__pick(found, at, ~(differs | -differs) >> 63);
	}
	return found;
}

static __always_inline struct code_memo *code__memo(struct thread *t, u64 code)
{
	u32 at = code__place(code, 0);

	if (t->codes[at].code != code)
		at = code__elsewhere(t, code);
	at &= CODE_MEMOS - 1;
	t->code_walks[at] = code__walk(t);
	return &t->codes[at];
}

/*
 * 3.11: the frame has the code object that it had in the last walk that was so deep, if its
 * function has the version that it had then: see code__function_key. Deep stacks change at their
 * leaf, and have more code objects than there are places for. What could not be read then may be
 * there now.
 */
static __always_inline bool frame__again(struct thread *t, const struct ct_pylayout *lay, u64 n,
					 u64 code)
{
	const struct ct_frame *last = &t->stack.frames[n];
	u32 version = t->versions[n];

	return version && last->code == code && last->check &&
	       (u32)function__version(t, lay, t->py.func) == version;
}

/* For frame__again; n is CODE_VERSIONS for all beyond, of which nothing is kept. Without a branch.
 */
static __always_inline void frame__keep_version(struct thread *t, u64 n, u32 version)
{
	t->versions[n] = version & -(u32)((n - CODE_VERSIONS) >> 63);
}

CHECKED_ONCE(frame__check, u64, code)
{
	u64 n = bound(t->py.nframes, CODE_VERSIONS);
	const struct ct_frame *near;
	struct code_memo *memo;
	u64 key = 0;
	u32 version;

	if (frame__again(t, lay, n, code))
		return t->stack.frames[n].check;
	t->versions[n] = 0;
	memo = code__memo(t, code);
	near = frame__near(t, code);
	if (near)
		return near->check;
	if (memo->code == code && memo->era == t->py.era)
		return memo->check;
	if (lay->func_version && function__may_have_version(t, memo, code)) {
		version = function__version(t, lay, t->py.func);
		frame__keep_version(t, n, version);
		key = code__function_key(t, version);
		if (key && memo->code == code && memo->key == key) {
			memo->era = t->py.era;
			return memo->check;
		}
	}
	return code__look(t, lay, memo, code, key);
}

#endif
