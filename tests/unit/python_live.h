/* SPDX-License-Identifier: MIT */
/*
 * The stacks and thread states of a live interpreter, read from outside in the way the BPF programs
 * do it, and compared with what it says itself.
 */
#ifndef COWTRACE_TESTS_PYTHON_LIVE_H
#define COWTRACE_TESTS_PYTHON_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <linux/types.h>
#include <cowtrace/abi.h>
#include <cowtrace/digest.h>
#include <cowtrace/pylayout.h>

#include "proc/mem.h"
#include "python/code.h"
#include "python/debug_offsets.h"
#include "python/offsets.h"
#include "python/raw.h"
#include "python/runtime.h"
#include "python/tables.h"
#include "python_process.h"

#define MAX_THREADS 8
#define MAX_LIST    64
#define OWNER_SHIM  3

struct expected_stack {
	uint64_t ident;
	unsigned int n;
	struct {
		uint64_t code;
		uint32_t line;
	} frames[CT_MAX_FRAMES];
};

struct live {
	struct python_process process;
	struct mem_source mem;
	struct py_runtime rt;
	struct py_offsets own;
	const struct py_offsets *off; /* NULL: not supported */
	struct ct_pylayout lay;
	struct py_code *code; /* the one whose lines are being compared */
	unsigned int n_stacks;
	struct expected_stack stacks[MAX_THREADS];
	uint32_t count; /* of code objects */
	unsigned int made;
	unsigned int codes, units, types, strs, frames, trampolines;
};

static inline uint64_t word(struct live *l, uint64_t addr)
{
	uint64_t value = 0;

	assert_int_equal(mem__read_u64(&l->mem, addr, &value), 0);
	return value;
}

static inline uint32_t half(struct live *l, uint64_t addr)
{
	uint32_t value = 0;

	assert_int_equal(mem__read_u32(&l->mem, addr, &value), 0);
	return value;
}

static inline uint32_t str_digest_of(struct live *l, uint64_t str)
{
	uint32_t state = half(l, str + l->lay.str_state) >> l->lay.str_kind_shift;
	uint64_t size = word(l, str + l->lay.str_length) * (state & 7);
	uint64_t data = str + (state & 16 ? l->lay.str_ascii_data : l->lay.str_compact_data);
	__u64 tail[CT_STR_WORDS] = {};

	assert_int_equal(mem__read(&l->mem, size > 32 ? data + size - 32 : data, tail,
				   size > 32 ? 32 : size),
			 0);
	return ct_str_digest(word(l, str + l->lay.str_hash), size, tail);
}

static inline uint32_t digest_of(struct live *l, uint64_t code)
{
	__u64 words[CT_CODE_WORDS], table[1 + CT_TABLE_WORDS] = {}, strings;
	uint64_t bytes = word(l, code + l->lay.code_table);

	for (unsigned int i = 0; i < CT_CODE_WORDS; i++)
		words[i] = word(l, code + l->lay.code_words[i]);
	table[0] = word(l, bytes + l->lay.bytes_size);
	assert_int_equal(
		mem__read(&l->mem, bytes + l->lay.bytes_data, &table[1], 8 * CT_TABLE_WORDS), 0);
	strings = str_digest_of(l, word(l, code + l->lay.code_name)) |
		  (uint64_t)str_digest_of(l, word(l, code + l->lay.code_file)) << 32;
	return ct_code_digest(words, strings, table);
}

static inline uint32_t offset_of(struct live *l, const uint8_t *raw, uint64_t code)
{
	int32_t lasti = raw__u32(raw, l->lay.fr_instr);
	uint64_t instr;

	if (l->lay.flags & CT_PY_LASTI)
		return l->lay.flags & CT_PY_LASTI_UNITS ? 2 * lasti : lasti;
	instr = raw__u64(raw, l->lay.fr_instr);
	if (l->lay.flags & CT_PY_TLBC && raw__u32(raw, l->lay.fr_tlbc)) {
		uint64_t array = word(l, code + l->lay.code_tlbc);
		uint32_t index = raw__u32(raw, l->lay.fr_tlbc);

		assert_true(index < word(l, array));
		instr -= word(l, array + 8 + 8 * index) - (code + l->lay.code_adaptive);
	}
	assert_true(instr - code < l->lay.code_size_max);
	return instr - code;
}

/* False: a frame that Python does not show. */
static inline bool compare_frame(struct live *l, const struct expected_stack *stack, unsigned int i,
				 uint64_t code, uint32_t offset)
{
	uint32_t check = digest_of(l, code), line;
	struct py_code *read;
	bool shown;

	assert_int_equal(py_code__read(&l->mem, l->off, code, &check, &read), 0);
	line = py_code__line(read, l->off, offset);
	shown = !read->trampoline;
	if (shown &&
	    (i >= stack->n || code != stack->frames[i].code || line != stack->frames[i].line))
		fail_msg("thread %#lx frame %u of %u: %s (%s:%u) at %#lx", stack->ident, i,
			 stack->n, read->function, read->file, line, code);
	py_code__free(read);
	l->frames += shown;
	l->trampolines += !shown;
	return shown;
}

static inline void compare_stack(struct live *l, const struct expected_stack *stack, uint64_t frame)
{
	uint8_t raw[CT_FRAME_READ_MAX];
	unsigned int n = 0, steps = 0;
	uint64_t code;

	while (frame) {
		assert_true(steps++ < 2 * CT_MAX_FRAMES);
		assert_int_equal(mem__read(&l->mem, frame, raw, l->lay.fr_size), 0);
		frame = raw__u64(raw, l->lay.fr_previous);
		if (l->lay.fr_owner && raw[l->lay.fr_owner] >= OWNER_SHIM)
			continue;
		code = raw__u64(raw, l->lay.fr_code);
		if (l->lay.flags & CT_PY_TAGGED)
			code &= ~3ull;
		n += compare_frame(l, stack, n, code, offset_of(l, raw, code));
	}
	assert_int_equal(n, stack->n);
}

/* pthread_getspecific() of the auto TSS key, with thread_id for the thread pointer. */
static inline void check_key(struct live *l, uint64_t tstate, uint64_t thread_pointer)
{
	uint32_t key = half(l, l->lay.runtime + l->lay.rt_tss_key);

	assert_int_equal(half(l, l->lay.runtime + l->lay.rt_tss_key - 4), 1);
	assert_true(key < 32);
	assert_int_equal(word(l, thread_pointer + l->lay.pthread_specific + 16 * key + 8), tstate);
}

/* What a thread-local variable holds: see include/cowtrace/pylayout.h. */
static inline uint64_t thread_local_word(struct live *l, uint64_t thread_pointer, uint32_t module,
					 int64_t offset)
{
	uint64_t block = thread_pointer;

	if (module)
		block = word(l, word(l, thread_pointer + 8) + 16 * (uint64_t)module);
	assert_true(block && block != UINT64_MAX);
	return word(l, block + offset);
}

/* All threads wait, so none is attached. */
static inline void check_variables(struct live *l, uint64_t tstate, uint64_t thread_pointer)
{
	unsigned int minor = l->lay.version & 0xff;
	uint64_t attached;

	assert_int_equal(!(l->lay.flags & CT_PY_TSS_GLIBC), minor > 14 || !l->rt.pthread_specific);
	if (l->lay.flags & CT_PY_TSS_GLIBC)
		check_key(l, tstate, thread_pointer);
	assert_int_equal(!(l->lay.flags & CT_PY_TLS), minor < 12);
	if (l->lay.flags & CT_PY_TLS) {
		attached =
			thread_local_word(l, thread_pointer, l->lay.tls_module, l->lay.tls_offset);
		assert_int_equal(attached, 0);
	}
	assert_int_equal(!(l->lay.flags & CT_PY_TLS2), minor < 15);
	if (l->lay.flags & CT_PY_TLS2)
		assert_int_equal(thread_local_word(l, thread_pointer, l->lay.tls2_module,
						   l->lay.tls2_offset),
				 tstate);
}

static inline uint64_t leaf_frame(struct live *l, uint64_t tstate)
{
	uint64_t frame = word(l, tstate + l->lay.ts_frame);

	return l->lay.flags & CT_PY_CFRAME ? word(l, frame + l->lay.cframe_current) : frame;
}

static inline void check_datastack(struct live *l, uint64_t tstate, uint64_t frame)
{
	uint64_t chunk = word(l, tstate + l->lay.ts_datastack);
	uint64_t top = word(l, tstate + l->lay.ts_datastack + 8);
	uint64_t limit = word(l, tstate + l->lay.ts_datastack + 16);

	assert_true(chunk && chunk < top && top <= limit);
	assert_true(frame > chunk && frame < top);
}

static inline uint64_t main_interpreter(struct live *l)
{
	return word(l, l->lay.runtime + l->off->runtime_interpreters_main);
}

static inline bool check_thread(struct live *l, uint64_t tstate)
{
	uint64_t ident = word(l, tstate + l->lay.ts_thread_id);
	uint64_t frame = leaf_frame(l, tstate);

	for (unsigned int i = 0; i < l->n_stacks; i++) {
		if (l->stacks[i].ident != ident)
			continue;
		assert_int_equal(word(l, tstate + l->lay.ts_interp), main_interpreter(l));
		if (l->lay.ts_datastack)
			check_datastack(l, tstate, frame);
		check_variables(l, tstate, ident);
		compare_stack(l, &l->stacks[i], frame);
		return true;
	}
	return false;
}

/* What is known without asking the process must be what the process says. */
static inline uint64_t main_offset(struct live *l)
{
	const struct py_table *table = py_table__find(l->off->version);

	if (table->debug_size)
		return word(l, l->rt.runtime + PY_DEBUG_RUNTIME_SIZE) -
		       word(l, l->rt.runtime + PY_DEBUG_INTERP_SIZE);
	for (unsigned int i = 0; i < PY_MAIN_PLACES; i++)
		if (table->mains[i].runtime_size == l->rt.size)
			return table->mains[i].main_interpreter;
	print_message("note: unfamiliar size of _PyRuntime: %lu\n", l->rt.size);
	return l->rt.main_interpreter - l->rt.runtime;
}

static inline void check_threads(struct live *l)
{
	uint64_t interp = main_interpreter(l);
	uint64_t tstate = word(l, interp + l->lay.interp_threads_head);
	unsigned int found = 0, steps = 0;

	assert_int_equal(interp, word(l, l->lay.runtime + l->lay.rt_interpreters_head));
	if (l->lay.interp_id) {
		assert_int_equal(word(l, interp + l->lay.interp_id), 0);
		assert_int_equal(l->lay.main_interpreter, interp);
	}
	assert_int_equal(word(l, interp + l->lay.interp_next), 0);
	if (l->off->version > 0x030a) { /* up to 3.10 it is allocated */
		assert_int_equal(interp, l->rt.main_interpreter);
		assert_int_equal(interp, l->rt.runtime + main_offset(l));
	} else {
		assert_int_equal(l->rt.main_interpreter, 0);
	}
	for (; tstate; tstate = word(l, tstate + l->lay.ts_next)) {
		assert_true(steps++ < MAX_LIST);
		found += check_thread(l, tstate);
	}
	assert_int_equal(found, l->n_stacks);
}

/* 3.13+: the interpreter's count goes up with each code object, and numbers them. */
static inline void check_made(struct live *l, uint64_t code)
{
	uint32_t before = l->count;

	if (!l->lay.interp_code_count)
		return;
	l->count = half(l, main_interpreter(l) + l->lay.interp_code_count);
	assert_true(l->count > before);
	assert_int_equal(half(l, code + l->lay.code_words[4] + 4), l->count - 1);
	l->made++;
}

/* The thread that runs is the attached one: nearly always. */
static inline void check_busy(struct live *l)
{
	uint64_t ident = l->stacks[l->n_stacks - 1].ident, found = 0, tstate;
	unsigned int reads = 0;

	tstate = word(l, main_interpreter(l) + l->lay.interp_threads_head);
	for (unsigned int i = 0; i < MAX_LIST && word(l, tstate + l->lay.ts_thread_id) != ident;
	     i++)
		tstate = word(l, tstate + l->lay.ts_next);
	while (found != tstate && reads++ < 10000)
		found = l->lay.flags & CT_PY_TLS
				? thread_local_word(l, ident, l->lay.tls_module, l->lay.tls_offset)
				: word(l, l->lay.runtime + l->lay.rt_tstate_current);
	assert_int_equal(found, tstate);
}

#endif
