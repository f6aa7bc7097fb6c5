/* SPDX-License-Identifier: GPL-2.0-only */
/* Which word around the address points to the type of an object, and what that type is. */
#ifndef COWTRACE_BPF_PYTYPE_H
#define COWTRACE_BPF_PYTYPE_H

/* tp_flags, 3.8 to 3.15 */
#define TYPE_READY    (1UL << 12)
#define TYPE_SUBCLASS (1UL << 31) /* a metatype: its instances are types */
/* No instance is smaller than its head, and none is believed that is larger. */
#define BASICSIZE_MIN 16
#define BASICSIZE_MAX (16u << 20)

static __always_inline void memory__type(struct ct_memory *rec, const struct ct_pylayout *lay,
					 u64 type, u64 name)
{
	long len = bpf_probe_read_user_str(rec->data + TYPE_NAME_AT, TYPE_NAME_MAX, (void *)name);

	rec->chunks[1].addr = name;
	rec->chunks[1].at = TYPE_NAME_AT;
	rec->chunks[1].len = len > 0 ? len : 0;
	memory__read(rec, 0, type, 0, lay->type_flags + 8, TYPE_HEAD_MAX);
}

enum type_state {
	TYPE_NONE, /* it is not a type */
	TYPE_SENT,
	TYPE_LOST, /* there was no room for its record */
};

/*
 * The type whose head is in the scratch buffer: has it been sent? If not, and only then, its own
 * type is asked whether it is one.
 */
static __always_inline enum type_state
type__publish(struct thread *t, const struct ct_pylayout *lay, u64 type, u32 check)
{
	u64 key = hash__mix(hash__mix(lay->cookie, type), (u64)t->event.pid << 32 | check);
	u64 metatype = scratch__u64(t->scratch, lay->object_type);
	u64 meta_flags = metatype + lay->type_flags;
	struct ct_memory *rec;
	u32 one = 1;

	if (bpf_map_lookup_elem(&types_seen, &key))
		return TYPE_SENT;
	if (!user__plausible(meta_flags) || !(user__u64(meta_flags) & TYPE_SUBCLASS))
		return TYPE_NONE;
	rec = meta__reserve(sizeof(*rec) + CT_MEMORY_TYPE_BYTES);
	if (!rec)
		return TYPE_LOST;
	memory__begin(rec, t, type, check, CT_MEMORY_TYPE);
	memory__type(rec, lay, type, scratch__u64(t->scratch, lay->type_name));
	memory__read(rec, 2, meta_flags, TYPE_META_AT, 8, 8);
	memory__read(rec, 3, metatype + lay->object_type, TYPE_ABOVE_AT, 8, 8);
	bpf_ringbuf_submit(rec, 0);
	bpf_map_update_elem(&types_seen, &key, &one, BPF_ANY);
	return TYPE_SENT;
}

/*
 * A type without Py_TPFLAGS_HEAPTYPE is never freed (type_dealloc asserts the flag, 3.8 to 3.15)
 * and its name, size and flags do not change once it is READY: its digest can be remembered for as
 * long as the thread runs this program. All others are read each time.
 */
static __always_inline struct type_memo *type__memo(struct thread *t, u64 type)
{
	return &t->types[(type >> 5 ^ type >> 9) & (TYPE_MEMOS - 1)];
}

/* The words of it that somebody asks for. */
static __always_inline bool type__words(struct thread *t, const struct ct_pylayout *lay, u64 type,
					u64 size)
{
	if (!span__open(t, type, size))
		return false;
	span__keep(t, lay->object_type);
	span__keep(t, lay->type_name);
	span__keep(t, lay->type_basicsize);
	span__keep(t, lay->type_flags);
	return span__held(&t->span);
}

/* Reads the head of what may be a type into the scratch buffer. */
static __always_inline bool type__read(struct thread *t, const struct ct_pylayout *lay, u64 type)
{
	u64 size = lay->type_flags + 8, basicsize;

	if (size > TYPE_HEAD_MAX || (!type__words(t, lay, type, size) &&
				     bpf_probe_read_user(t->scratch, size, (void *)type)))
		return false;
	basicsize = scratch__u64(t->scratch, lay->type_basicsize);
	return scratch__u64(t->scratch, lay->type_flags) & TYPE_READY &&
	       basicsize >= BASICSIZE_MIN && basicsize <= BASICSIZE_MAX;
}

/* True, and its digest, if there is a type. */
static __always_inline bool type__check(struct thread *t, const struct ct_pylayout *lay, u64 type,
					u32 *check)
{
	struct type_memo *memo = type__memo(t, type);
	u64 text[CT_TYPE_NAME_WORDS] = {}, flags, name;
	enum type_state state;

	if (memo->type == type && memo->execs == t->execs) {
		*check = memo->check;
		return true;
	}
	if (!type__read(t, lay, type))
		return false;
	flags = scratch__u64(t->scratch, lay->type_flags);
	name = scratch__u64(t->scratch, lay->type_name);
	if (flags & CT_TYPE_HEAP)
		bpf_probe_read_user_str(text, sizeof(text), (void *)name);
	*check = ct_type_digest(name, scratch__u64(t->scratch, lay->type_basicsize), flags, text);
	state = type__publish(t, lay, type, *check);
	if (state == TYPE_SENT && !(flags & CT_TYPE_HEAP))
		*memo = (struct type_memo){.type = type, .check = *check, .execs = t->execs};
	return state != TYPE_NONE;
}

/* Word number `word` of the window points to a type. */
CHECKED_ONCE(type__try, u32, word)
{
	u32 check;

	if (word >= CT_WINDOW_WORDS)
		return false;
	if (!user__plausible(t->event.window[word]) ||
	    !type__check(t, lay, t->event.window[word], &check))
		return false;
	t->event.type_check = check;
	t->event.type_word = word;
	return true;
}

/* The same, if it is a type that is remembered: nearly always, and a call costs more. */
static __always_inline bool type__known(struct thread *t, u32 word)
{
	u64 type = t->event.window[word];
	const struct type_memo *memo = type__memo(t, type);

	if (!type || memo->type != type || memo->execs != t->execs)
		return false;
	t->event.type_check = memo->check;
	t->event.type_word = word;
	return true;
}

/*
 * Objects begin at multiples of 16 (pymalloc and malloc, 3.8+) and have their type 8 or 24 bytes
 * on: of the words behind the address every other one can be a type. Static objects need not be
 * aligned so: the others come last, and not at all in a pool.
 */
static __always_inline void type__find(struct thread *t, const struct ct_pylayout *lay)
{
	u32 odd = t->event.addr >> 3 & 1;

	if (!(t->event.flags & CT_F_WINDOW))
		return;
	if (!odd && type__known(t, 4))
		return;
	if (type__try(t, lay, 4 + odd) || type__try(t, lay, 6 + odd))
		return;
	if (!odd && type__try(t, lay, 8))
		return;
	if (t->event.flags & CT_F_POOL)
		return;
	if (type__try(t, lay, 5 - odd) || type__try(t, lay, 7 - odd))
		return;
	if (odd)
		type__try(t, lay, 8);
}

#endif
