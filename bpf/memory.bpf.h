/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is read of a code object or type when it is first met, for the daemon, which may come too
 * late: pieces at fixed places of a record, so that the verifier knows where they are. Nothing is
 * parsed here but lengths; a piece that is longer than its room is cut, one that can not be read is
 * empty.
 */
#ifndef COWTRACE_BPF_MEMORY_H
#define COWTRACE_BPF_MEMORY_H

/* Places in data[]. Most file names fit; the daemon asks the process for others. */
#define CODE_FILE_AT  CT_CODE_READ_MAX
#define CODE_NAME_AT  (CODE_FILE_AT + 496)
#define CODE_TABLE_AT (CODE_NAME_AT + 240)
#define TYPE_HEAD_MAX 240
#define TYPE_NAME_AT  TYPE_HEAD_MAX
#define TYPE_NAME_MAX 128
#define TYPE_META_AT  (TYPE_NAME_AT + TYPE_NAME_MAX)
#define TYPE_ABOVE_AT (TYPE_META_AT + 8)

_Static_assert(CODE_TABLE_AT < CT_MEMORY_CODE_BYTES, "places of a code object's pieces");
_Static_assert(TYPE_ABOVE_AT + 8 <= CT_MEMORY_TYPE_BYTES, "places of a type's pieces");

#define CODE_TABLE_ROOM	     (CT_MEMORY_CODE_BYTES - CODE_TABLE_AT)
#define CODE_LONG_TABLE_ROOM (CT_MEMORY_LONG_CODE_BYTES - CODE_TABLE_AT)

/* Longer strings and tables do not fit anyway; keeps the products below small. */
#define LENGTH_MAX CT_MEMORY_LONG_CODE_BYTES

static __always_inline void memory__begin(struct ct_memory *rec, const struct thread *t, u64 addr,
					  u32 check, u32 kind)
{
	rec->tag = CT_MEMORY;
	rec->pid = t->event.pid;
	rec->addr = addr;
	rec->layout = t->layout;
	rec->check = check;
	rec->kind = kind;
	rec->pad = 0;
	for (int i = 0; i < CT_MEMORY_CHUNKS; i++)
		rec->chunks[i] = (struct ct_chunk){};
}

/* at and room must be constants. */
static __always_inline bool memory__read(struct ct_memory *rec, u32 chunk, u64 addr, const u32 at,
					 u64 size, const u32 room)
{
	struct ct_chunk *c = &rec->chunks[chunk];

	size = bound(size, room);
	c->addr = addr;
	c->at = at;
	c->len = 0;
	if (!addr || !size || bpf_probe_read_user(rec->data + at, size, (void *)addr))
		return false;
	c->len = size;
	return true;
}

/* Bytes of a compact str object, head included; 0 if it can not be read. */
static __always_inline u64 str__size(struct thread *t, const struct ct_pylayout *lay, u64 str)
{
	u64 head = bound(lay->str_ascii_data, SCRATCH_SIZE), length;
	u32 state, kind;

	if (!str || bpf_probe_read_user(t->scratch, head, (void *)str))
		return 0;
	length = bound(scratch__u64(t->scratch, lay->str_length), LENGTH_MAX);
	state = scratch__u32(t->scratch, lay->str_state) >> (lay->str_kind_shift & 31);
	kind = state & 7; /* bytes of a character; compact and ascii follow */
	return (state & 16 ? lay->str_ascii_data : lay->str_compact_data) + length * kind;
}

static __always_inline u64 bytes__size(const struct ct_pylayout *lay, u64 bytes)
{
	return bytes ? lay->bytes_data + bound(user__u64(bytes + lay->bytes_size), LENGTH_MAX) : 0;
}

/* room must be a constant. A long table may have a page that is not there: then its start will do.
 */
static __always_inline void memory__code(struct ct_memory *rec, struct thread *t,
					 const struct ct_pylayout *lay, u64 code, const u32 room)
{
	u64 file, name, table;

	/* The longest head of all versions; a shorter one may lie at the end of what is mapped. */
	if (!memory__read(rec, 0, code, 0, CT_CODE_READ_MAX, CT_CODE_READ_MAX) &&
	    !memory__read(rec, 0, code, 0, lay->code_size, CT_CODE_READ_MAX))
		return;
	bpf_probe_read_kernel(t->scratch, CT_CODE_READ_MAX, rec->data);
	file = scratch__u64(t->scratch, lay->code_file);
	name = scratch__u64(t->scratch, lay->code_name);
	table = scratch__u64(t->scratch, lay->code_table);
	memory__read(rec, 1, file, CODE_FILE_AT, str__size(t, lay, file),
		     CODE_NAME_AT - CODE_FILE_AT);
	memory__read(rec, 2, name, CODE_NAME_AT, str__size(t, lay, name),
		     CODE_TABLE_AT - CODE_NAME_AT);
	if (!memory__read(rec, 3, table, CODE_TABLE_AT, bytes__size(lay, table), room))
		memory__read(rec, 3, table, CODE_TABLE_AT, bytes__size(lay, table),
			     CODE_TABLE_ROOM);
}

static __always_inline bool code__send(struct thread *t, const struct ct_pylayout *lay, u64 code,
				       u32 check)
{
	struct ct_memory *rec = meta__reserve(sizeof(*rec) + CT_MEMORY_CODE_BYTES);

	if (!rec)
		return false;
	memory__begin(rec, t, code, check, CT_MEMORY_CODE);
	memory__code(rec, t, lay, code, CODE_TABLE_ROOM);
	bpf_ringbuf_submit(rec, 0);
	return true;
}

/* The body of a module, most often: it runs once, and is gone. */
static __always_inline bool code__send_long(struct thread *t, const struct ct_pylayout *lay,
					    u64 code, u32 check)
{
	struct ct_memory *rec = meta__reserve(sizeof(*rec) + CT_MEMORY_LONG_CODE_BYTES);

	if (!rec)
		return false;
	memory__begin(rec, t, code, check, CT_MEMORY_LONG_CODE);
	memory__code(rec, t, lay, code, CODE_LONG_TABLE_ROOM);
	bpf_ringbuf_submit(rec, 0);
	return true;
}

/* Sends the code object of frame n of the stack, unless it has been sent. */
CHECKED_ONCE(code__publish, u32, n)
{
	u32 check, one = 1;
	u64 key, code;
	bool sent;

	if (n >= CT_MAX_FRAMES)
		return 0;
	code = t->stack.frames[n].code;
	check = t->stack.frames[n].check;
	key = hash__mix(hash__mix(lay->cookie, code), check);
	if (bpf_map_lookup_elem(&codes_seen, &key))
		return 0;
	if (bytes__size(lay, user__u64(code + lay->code_table)) > CODE_TABLE_ROOM)
		sent = code__send_long(t, lay, code, check);
	else
		sent = code__send(t, lay, code, check);
	if (sent)
		bpf_map_update_elem(&codes_seen, &key, &one, BPF_ANY);
	return 0;
}

#endif
