/* SPDX-License-Identifier: MIT */
/* A thread that runs Python, any that there is, in the fake address space of shim.h. */
#ifndef COWTRACE_TESTS_PYTHON_STACK_H
#define COWTRACE_TESTS_PYTHON_STACK_H

#include "shim.h"
#include "python/offsets.h"
#include "python/runtime.h"
#include "python/tables.h"

#define RUNTIME	  0x555555800000ul
#define FSBASE	  0x7f0000000740ul
#define TSTATE	  0x7f1000000100ul
#define CFRAME	  0x7ffe00000040ul
#define CHUNK	  0x7f2000000000ul
#define LIMIT	  (CHUNK + 0x40000)
#define CODES	  0x7f3000000000ul
#define NAMES	  0x7f3100000000ul
#define FILES	  0x7f3200000000ul
#define TABLES	  0x7f3300000000ul
#define BYTECODES 0x7f3400000000ul
#define FUNCTIONS 0x7f3500000000ul
#define INTERP	  0x7f7000000000ul
#define NOWHERE	  0x7f6600000000ul
#define SLOT	  1u
#define TSS_KEY	  5u
#define BOUND_AT  (-40) /* 3.15: the variable of the bound state, from the thread pointer */

#define FREE_THREADED 0x10000u

/* What is compared with what the interpreter has: all that there is. */
static const uint32_t versions[] = {
	0x0308,
	0x0309,
	0x030a,
	0x030b,
	0x030c,
	0x030d,
	0x030e,
	0x030f,
	0x030d | FREE_THREADED,
	0x030e | FREE_THREADED,
	0x030f | FREE_THREADED,
};

#define N(a)	    (sizeof(a) / sizeof((a)[0]))
#define EACH_PYTHON for (const uint32_t *v = versions; v < versions + N(versions); v++)

static struct ct_pylayout lay;
static struct thread thread;
static struct task_struct python_task = {.mm = &shim_mm};

static inline void layout__store(void)
{
	bpf_map_update_elem(&layouts, &(uint32_t){SLOT}, &lay, BPF_ANY);
}

static inline uint64_t user__get64(uint64_t address)
{
	uint64_t value;

	assert_true(user__copy((uint8_t *)&value, address, sizeof(value)));
	return value;
}

/* --- code objects --- */

static inline uint64_t code_at(unsigned int n)
{
	return CODES + 512 * (uint64_t)n;
}

static inline uint64_t name_at(unsigned int n)
{
	return NAMES + 256 * (uint64_t)n;
}

static inline uint64_t file_at(unsigned int n)
{
	return FILES + 256 * (uint64_t)n;
}

static inline uint64_t table_at(unsigned int n)
{
	return TABLES + 256 * (uint64_t)n;
}

static inline uint64_t bytecode_at(unsigned int n)
{
	return BYTECODES + 4096 * (uint64_t)n;
}

/* A compact str object of one byte per character. */
static inline void str__make(uint64_t at, const char *text)
{
	uint64_t hash = 0x1234;

	for (const char *c = text; *c; c++)
		hash = hash * 31 + (uint8_t)*c;
	user__set64(at + lay.str_hash, hash);
	user__set64(at + lay.str_length, strlen(text));
	user__set32(at + lay.str_state, (1u | 8u | 16u) << lay.str_kind_shift);
	user__write(at + lay.str_ascii_data, text, strlen(text) + 1);
}

static inline void bytes__make(uint64_t at, const void *data, uint64_t size)
{
	user__set64(at + lay.bytes_size, size);
	user__write(at + lay.bytes_data, data, size);
}

/* Code object number n, with names and a line table of its own; the table has 5 to 44 bytes. */
static inline void code__make(unsigned int n)
{
	uint8_t table[44];
	char text[32];

	for (unsigned int i = 0; i < CT_CODE_READ_MAX; i += 8)
		user__set64(code_at(n) + i, ((uint64_t)n + 1) << 32 | i);
	for (size_t i = 0; i < sizeof(table); i++)
		table[i] = (uint8_t)(0x80 + n + i);
	snprintf(text, sizeof(text), "function_%u", n);
	str__make(name_at(n), text);
	snprintf(text, sizeof(text), "/srv/file_%u.py", n);
	str__make(file_at(n), text);
	for (unsigned int i = 0; i < 64; i++) /* what is behind a short table is not of it */
		*user__at(table_at(n) + lay.bytes_data + i) = 0xee;
	bytes__make(table_at(n), table, 5 + n % 40);
	user__set64(code_at(n) + lay.code_name, name_at(n));
	user__set64(code_at(n) + lay.code_file, file_at(n));
	user__set64(code_at(n) + lay.code_table, table_at(n));
	user__at(code_at(n) + lay.code_adaptive + 2 * n + 1); /* what it executes is present */
	if (!lay.code_bytes)
		return;
	user__set64(code_at(n) + lay.code_bytes, bytecode_at(n));
	for (unsigned int i = 0; i < 2 * n + 2; i++)
		*user__at(bytecode_at(n) + lay.bytes_data + i) = 9;
}

/* Of whatever is where a str object should be. */
static inline uint32_t str__check(uint64_t at)
{
	uint64_t tail[CT_STR_WORDS] = {}, size, data;
	uint8_t head[128];
	uint32_t state;

	if (!user__copy(head, at, lay.str_ascii_data))
		return 0;
	memcpy(&state, head + lay.str_state, sizeof(state));
	state >>= lay.str_kind_shift;
	size = user__get64(at + lay.str_length) * (state & 7);
	data = at + (state & 16 ? lay.str_ascii_data : lay.str_compact_data);
	if (!user__copy((uint8_t *)tail, size > 32 ? data + size - 32 : data, sizeof(tail)))
		memset(tail, 0, sizeof(tail));
	return ct_str_digest(user__get64(at + lay.str_hash), size, (__u64 *)tail);
}

/* The digest, of what code__make() has written. */
static inline uint32_t code__check(unsigned int n)
{
	uint64_t words[CT_CODE_WORDS] = {}, table[1 + CT_TABLE_WORDS] = {}, strings;

	for (unsigned int i = 0; i < CT_CODE_WORDS; i++)
		if (lay.code_words[i])
			words[i] = user__get64(code_at(n) + lay.code_words[i]);
	table[0] = user__get64(table_at(n) + lay.bytes_size);
	user__copy((uint8_t *)&table[1], table_at(n) + lay.bytes_data,
		   table[0] < 32 ? table[0] : 32);
	strings = str__check(user__get64(code_at(n) + lay.code_name));
	strings |= (uint64_t)str__check(user__get64(code_at(n) + lay.code_file)) << 32;
	return ct_code_digest((__u64 *)words, strings, (__u64 *)table);
}

/* --- frames --- */

/* How a frame of this version says that it is at that byte of its bytecode. */
static inline void frame__at(uint64_t at, uint64_t code, uint32_t offset)
{
	if (lay.flags & CT_PY_LASTI)
		user__set32(at + lay.fr_instr, lay.flags & CT_PY_LASTI_UNITS ? offset / 2 : offset);
	else
		user__set64(at + lay.fr_instr, code + lay.code_adaptive + offset);
}

/* How it is shown then. */
static inline uint32_t shown(uint32_t offset)
{
	return lay.flags & CT_PY_LASTI ? offset : lay.code_adaptive + offset;
}

/* The function that has this code object. */
static inline uint64_t function_of(uint64_t code)
{
	return FUNCTIONS + (code & 0xffffff);
}

static inline void function__set_version(unsigned int n, uint32_t version)
{
	user__set32(function_of(code_at(n)) + lay.func_version, version);
}

static inline void frame__make(uint64_t at, uint64_t code, uint32_t offset, uint64_t previous,
			       uint8_t owner)
{
	for (unsigned int i = 0; i < lay.fr_size; i += 8) /* locals ...: not to be mistaken */
		user__set64(at + i, 0xabcdef0000000000 + at + i);
	user__set64(at + lay.fr_code, lay.flags & CT_PY_TAGGED ? code | 1 : code);
	if (lay.func_version) {
		user__set64(at + lay.fr_func, function_of(code));
		user__set32(function_of(code) + lay.func_version, 0);
	}
	user__set64(at + lay.fr_previous, previous);
	frame__at(at, code, offset);
	if (lay.fr_owner)
		*user__at(at + lay.fr_owner) = owner;
	if (lay.flags & CT_PY_TLBC)
		user__set32(at + lay.fr_tlbc, 0);
}

static inline void tstate__make(uint64_t at, uint64_t thread_id, uint64_t next)
{
	for (unsigned int i = 0; i < lay.ts_size; i += 8)
		user__set64(at + i, 0);
	user__set64(at + lay.ts_next, next);
	user__set64(at + lay.ts_interp, INTERP);
	user__set64(at + lay.ts_thread_id, thread_id);
	if (!lay.ts_datastack)
		return;
	user__set64(at + lay.ts_datastack, CHUNK);
	user__set64(at + lay.ts_datastack + 8, CHUNK + 64);
	user__set64(at + lay.ts_datastack + 16, LIMIT);
}

/* What the thread executes. */
static inline void leaf__set(uint64_t frame)
{
	uint64_t at = TSTATE + lay.ts_frame;

	if (lay.flags & CT_PY_CFRAME) {
		user__set64(at, CFRAME);
		at = CFRAME + lay.cframe_current;
	}
	user__set64(at, frame);
}

static inline void key__set(uint32_t initialised, uint32_t key, uint64_t value)
{
	user__set32(RUNTIME + lay.rt_tss_key - 4, initialised);
	user__set32(RUNTIME + lay.rt_tss_key, key);
	user__set64(FSBASE + lay.pthread_specific + 16ul * key + 8, value);
}

/* Where every version since 3.8 names the state that is bound to a thread, on glibc. */
static inline void bound__set(uint64_t value)
{
	if (lay.flags & CT_PY_TLS2)
		user__set64(FSBASE + lay.tls2_offset, value);
	else
		key__set(1, TSS_KEY, value);
}

/* Where the thread's interpreter says that it is collecting garbage. */
static inline uint64_t gc_at(void)
{
	return lay.gc_collecting ? lay.gc_collecting : INTERP + lay.interp_gc_collecting;
}

/* Where it counts the code objects that it makes (3.13+). */
static inline uint64_t count_at(void)
{
	return INTERP + lay.interp_code_count;
}

/* An empty process with one thread; no frames yet. version: major << 8 | minor, or FREE_THREADED.
 */
static inline void python__begin(uint32_t version, bool glibc)
{
	struct py_runtime rt = {.hexversion = version << 16,
				.runtime = RUNTIME,
				.pthread_specific = glibc ? 784 : 0};
	const struct py_table *table = version & FREE_THREADED
					       ? py_table__find_free_threaded(version & 0xffff)
					       : py_table__find(version);

	assert_non_null(table);
	if ((version & 0xffff) >= 0x030f)
		rt.bound = (struct py_tls){.found = glibc, .offset = BOUND_AT};
	shim__reset();
	shim.current = &python_task;
	memset(&thread, 0, sizeof(thread));
	py_offsets__layout(&table->offsets, &rt, &lay);
	lay.cookie = 0xc00c1e;
	layout__store();
	thread.layout = SLOT;
	thread.event.pid = 100;
	thread.event.thread_pointer = FSBASE;
	tstate__make(TSTATE, FSBASE, 0);
	user__set32(gc_at(), 0);
	if (lay.interp_code_count) {
		user__set32(count_at(), 0); /* has run over: nothing is remembered for long */
		user__set64(INTERP + lay.interp_id, 0);
	}
	if (glibc)
		bound__set(TSTATE);
	leaf__set(0);
}

/* Frame number i of n, outermost first, as a call pushes them: all of them `size` bytes. */
static inline uint64_t pushed_at(unsigned int i, unsigned int size)
{
	return CHUNK + 24 + (uint64_t)size * i;
}

/* Frame i executes code i at byte 2 * i. */
static inline void frames__push(unsigned int n, unsigned int size)
{
	for (unsigned int i = 0; i < n; i++) {
		code__make(i);
		frame__make(pushed_at(i, size), code_at(i), 2 * i, i ? pushed_at(i - 1, size) : 0,
			    0);
	}
	leaf__set(pushed_at(n - 1, size));
}

/* --- results --- */

/* The stack of a copy: its id. */
static inline uint64_t take(void)
{
	stack__take(&thread);
	return thread.event.stack;
}

static inline size_t records_of(uint32_t tag)
{
	size_t n = 0;

	for (size_t i = 0; i < shim.n_records; i++)
		n += shim.records[i].tag == tag;
	return n;
}

static inline const struct ct_stack *last_stack(void)
{
	const struct shim_record *r;

	assert_true(shim.n_records > 0);
	r = &shim.records[shim.n_records - 1];
	assert_ptr_equal(r->ring, &meta);
	assert_true(r->submitted);
	assert_int_equal(r->size, offsetof(struct ct_stack, frames) +
					  r->stack.nframes * sizeof(struct ct_frame));
	assert_int_equal(r->tag, CT_STACK);
	assert_int_equal(r->stack.id, thread.event.stack);
	assert_int_equal(r->stack.unwind, thread.event.unwind);
	return &r->stack;
}

static inline void expect_unwind(enum ct_unwind unwind)
{
	assert_int_equal(take(), 0);
	assert_int_equal(thread.event.unwind, unwind);
	assert_int_equal(thread.event.instr, 0);
	assert_int_equal(records_of(CT_STACK), 0);
}

/* The innermost frames of frames__push(n, ...). */
static inline void expect_pushed(const struct ct_stack *s, unsigned int n)
{
	unsigned int visible = n < CT_MAX_FRAMES ? n : CT_MAX_FRAMES;

	assert_int_equal(s->nframes, visible);
	assert_int_equal(s->unwind, n <= CT_MAX_FRAMES ? CT_UNWIND_COMPLETE : CT_UNWIND_TOO_DEEP);
	for (unsigned int i = 0; i < visible; i++) {
		assert_int_equal(s->frames[i].code, code_at(n - 1 - i));
		assert_int_equal(s->frames[i].offset, shown(2 * (n - 1 - i)));
		assert_int_equal(s->frames[i].check, code__check(n - 1 - i));
	}
}

static inline void expect_no_failed_read(void)
{
	for (size_t i = 0; i < shim.n_reads; i++)
		if (shim.reads[i].failed)
			fail_msg("read of %u bytes at %lx", shim.reads[i].size,
				 (unsigned long)shim.reads[i].from);
}

static inline size_t reads_between(uint64_t start, uint64_t end)
{
	size_t n = 0;

	for (size_t i = 0; i < shim.n_reads; i++)
		n += shim.reads[i].from >= start && shim.reads[i].from < end;
	return n;
}

static inline int teardown(void **state)
{
	(void)state;
	shim__reset();
	return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

#endif
