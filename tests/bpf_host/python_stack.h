/* SPDX-License-Identifier: MIT */
/* A thread that runs Python, in the fake address space of shim.h. */
#ifndef COWTRACE_TESTS_PYTHON_STACK_H
#define COWTRACE_TESTS_PYTHON_STACK_H

#include "shim.h"
#include "python/offsets.h"
#include "python/runtime.h"
#include "python/tables.h"

#define RUNTIME 0x555555800000ul
#define FSBASE	0x7f0000000740ul
#define TSTATE	0x7f1000000100ul
#define CFRAME	0x7ffe00000040ul
#define CHUNK	0x7f2000000000ul
#define LIMIT	(CHUNK + 0x40000)
#define CODES	0x7f3000000000ul
#define SLOT	1u
#define TSS_KEY 5u

static struct ct_pylayout lay;
static struct thread thread;

/* Code object number n, with names of its own. */
static inline uint64_t code_at(unsigned int n)
{
	return CODES + 512 * (uint64_t)n;
}

static inline void code__name(unsigned int n, unsigned int which, uint64_t name)
{
	user__set64(code_at(n) + lay.code_names + 8 * which, name);
}

static inline void code__make(unsigned int n)
{
	for (unsigned int i = 0; i < CT_CODE_NAMES; i++)
		code__name(n, i, 0x7f4000000000 + 0x1000 * n + 64 * i);
}

static inline uint32_t code__check(unsigned int n)
{
	uint64_t name = 0x7f4000000000 + 0x1000 * n;

	return ct_code_digest(name, name + 64, name + 128, name + 192);
}

static inline void frame__make(uint64_t at, uint64_t code, uint32_t offset, uint64_t previous,
			       uint8_t owner)
{
	for (int i = 0; i < CT_FRAME_READ; i += 8) /* locals, globals ...: not to be mistaken */
		user__set64(at + i, 0xabcdef0000000000 + at + i);
	user__set64(at + lay.fr_code, code);
	user__set64(at + lay.fr_previous, previous);
	user__set64(at + lay.fr_instr, code + offset);
	*user__at(at + lay.fr_owner) = owner;
}

static inline void tstate__make(uint64_t at, uint64_t thread_id, uint64_t next)
{
	for (unsigned int i = 0; i < lay.ts_datastack + 24; i += 8)
		user__set64(at + i, 0);
	user__set64(at + lay.ts_next, next);
	user__set64(at + lay.ts_thread_id, thread_id);
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

/* An empty process with one thread; no frames yet. */
static inline void python__begin(uint32_t version, bool glibc)
{
	struct py_runtime rt = {.hexversion = version << 16, .runtime = RUNTIME, .pthread_specific = glibc ? 784 : 0};
	uint32_t slot = SLOT;

	shim__reset();
	memset(&thread, 0, sizeof(thread));
	py_offsets__layout(&py_table__find(version)->offsets, &rt, &lay);
	lay.cookie = 0xc00c1e;
	bpf_map_update_elem(&layouts, &slot, &lay, BPF_ANY);
	thread.layout = SLOT;
	thread.event.pid = 100;
	thread.event.thread_pointer = FSBASE;
	tstate__make(TSTATE, FSBASE, 0);
	if (glibc)
		key__set(1, TSS_KEY, TSTATE);
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

/* The stack of a copy: its id. */
static inline uint64_t take(void)
{
	stack__take(&thread);
	return thread.event.stack;
}

static inline const struct ct_stack *last_stack(void)
{
	const struct shim_record *r;

	assert_true(shim.n_records > 0);
	r = &shim.records[shim.n_records - 1];
	assert_ptr_equal(r->ring, &meta);
	assert_true(r->submitted);
	assert_int_equal(r->size, sizeof(r->stack));
	assert_int_equal(r->tag, CT_STACK);
	assert_int_equal(r->stack.id, thread.event.stack);
	assert_int_equal(r->stack.unwind, thread.event.unwind);
	return &r->stack;
}

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const uint32_t versions[] = {0x030b, 0x030c, 0x030d};

static inline void expect_unwind(enum ct_unwind unwind)
{
	assert_int_equal(take(), 0);
	assert_int_equal(thread.event.unwind, unwind);
	assert_int_equal(shim.n_records, 0);
}

/* The innermost frames of frames__push(n, ...). */
static inline void expect_pushed(const struct ct_stack *s, unsigned int n)
{
	unsigned int shown = n < CT_MAX_FRAMES ? n : CT_MAX_FRAMES;

	assert_int_equal(s->nframes, shown);
	assert_int_equal(s->unwind, n <= CT_MAX_FRAMES ? CT_UNWIND_COMPLETE : CT_UNWIND_TOO_DEEP);
	for (unsigned int i = 0; i < shown; i++) {
		assert_int_equal(s->frames[i].code, code_at(n - 1 - i));
		assert_int_equal(s->frames[i].offset, 2 * (n - 1 - i));
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
