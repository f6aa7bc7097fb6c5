// SPDX-License-Identifier: MIT
/* Each test with the structures of every version. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <cowtrace/abi.h>

#include "proc/mem.h"
#include "python/code.h"
#include "code_world.h"

static struct world w;

static int read_code(const uint32_t *check, struct py_code **out)
{
	struct mem_source mem = mem__of(getpid());

	return py_code__read(&mem, w.off, (uintptr_t)w.code, check, out);
}

static void for_each_version(void (*test)(void))
{
	const struct py_offsets *versions[WORLD_VERSIONS];
	size_t n = world__versions(versions);

	assert_true(n >= 11); /* 3.8 to 3.15, 3.13t to 3.15t */
	for (size_t i = 0; i < n; i++) {
		world__build(&w, versions[i]);
		test();
	}
}

#define TEST(name)                                                                                 \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		for_each_version(check_##name);                                                    \
	}

/* --- as it should be --------------------------------------------------------- */

static void check_code(void)
{
	uint32_t check = world__check(&w);
	struct py_code *code;

	assert_int_equal(read_code(&check, &code), 0);
	assert_string_equal(code->file, "app.py");
	assert_string_equal(code->function, world__function(&w));
	assert_int_equal(code->address, (uintptr_t)w.code);
	assert_int_equal(code->bytecode_end - code->bytecode, 16);
	if (world__inline_bytecode(&w)) {
		assert_int_equal(code->bytecode, (uintptr_t)w.code + w.off->code_adaptive);
		assert_int_equal(code->end, code->bytecode_end);
	} else {
		assert_int_equal(code->bytecode, (uintptr_t)w.bytes + w.off->bytes_data);
		assert_int_equal(code->end, (uintptr_t)w.code + w.off->code_head);
	}
	assert_false(code->trampoline || code->cut || code->table_cut);
	py_code__free(code);
	py_code__free(NULL);
}
TEST(code)

static void check_line(void)
{
	uint32_t start = world__inline_bytecode(&w) ? w.off->code_adaptive : 0;
	struct py_code *code;

	assert_int_equal(read_code(NULL, &code), 0);
#define LINE(offset) py_code__line(code, w.off, offset)
	assert_int_equal(LINE(CT_OFFSET_NOT_STARTED), 7);
	assert_int_equal(LINE(CT_OFFSET_UNKNOWN), 0);
	assert_int_equal(LINE(start), 7);
	assert_int_equal(LINE(start + 6), 7);
	assert_int_equal(LINE(start + 8), 8);
	assert_int_equal(LINE(start + 15), 8);
	assert_int_equal(LINE(start + 16), 0);
	if (start) {
		assert_int_equal(LINE(start - 2), 7); /* 3.11, 3.12: not started */
		assert_int_equal(LINE(start - 4), 0);
		assert_int_equal(LINE(0), 0);
	}
	py_code__free(code);
}
TEST(line)

/* Names without lines are still worth having. */
static void check_no_table(void)
{
	struct py_code *code;

	put_u64(w.table, w.off->object_size, PY_LINE_TABLE_MAX + 1);
	assert_int_equal(read_code(NULL, &code), 0);
	assert_null(code->line_table);
	assert_int_equal(py_code__line(code, w.off, CT_OFFSET_NOT_STARTED), 7);
	for (uint32_t at = 0; at < 256; at += 2)
		if (!world__inline_bytecode(&w) || at != w.off->code_adaptive - 2)
			assert_int_equal(py_code__line(code, w.off, at), 0);
	py_code__free(code);
	put_u32(w.code, w.off->code_firstlineno, -1);
	assert_int_equal(read_code(NULL, &code), 0);
	assert_int_equal(py_code__line(code, w.off, CT_OFFSET_NOT_STARTED), 0);
	py_code__free(code);
}
TEST(no_table)

/* 3.13 pushes a frame of a code object that has no instruction to trace. */
static void check_trampoline(void)
{
	struct py_code *code;

	if (!world__inline_bytecode(&w))
		return;
	for (uint32_t first = 0; first <= 16; first++) {
		put_u32(w.code, w.off->code_firsttraceable, first);
		assert_int_equal(read_code(NULL, &code), 0);
		assert_int_equal(code->trampoline, w.off->version >= 0x030d && first >= 8);
		py_code__free(code);
	}
}
TEST(trampoline)

/* --- not a code object ------------------------------------------------------- */

#define REJECTED(error, change)                                                                    \
	do {                                                                                       \
		struct py_code *code = (void *)&w;                                                 \
		int err;                                                                           \
                                                                                                   \
		world__build(&w, w.off);                                                           \
		change;                                                                            \
		err = read_code(NULL, &code);                                                      \
		if (err != (error))                                                                \
			fail_msg("%#x: %s: %d, not " #error, w.off->version, #change, err);        \
		assert_ptr_equal(code, &w);                                                        \
	} while (0)

static void check_rejected(void)
{
	const struct py_offsets *off = w.off;

	REJECTED(-EINVAL, put_pointer(w.code, off->object_type, w.str_type));
	REJECTED(-EINVAL, put_pointer(w.code_type, off->type_name, "cell"));
	REJECTED(-EINVAL, put_u64(w.code_type, off->type_basicsize, 400));
	REJECTED(-EINVAL, put_u64(w.code_type, off->type_itemsize, 1));
	REJECTED(-EINVAL, put_u64(w.code, off->code_filename, 0));
	REJECTED(-EINVAL, put_pointer(w.code, off->code_filename, w.table));
	REJECTED(-EFAULT, put_u64(w.code, off->code_filename, 0x7000));
	REJECTED(-EINVAL, put_u64(w.code, off->code_linetable, 0));
	REJECTED(-EINVAL, put_pointer(w.code, off->code_linetable, w.name));
	REJECTED(-EFAULT, put_u64(w.table, off->object_type, 0x7000));
	REJECTED(-EINVAL, put_u64(w.table, off->object_type, 0x7001));
	if (world__inline_bytecode(&w)) {
		REJECTED(-EINVAL, put_u64(w.code, off->object_size, 0));
		REJECTED(-EINVAL, put_u64(w.code, off->object_size, 1 << 26));
		REJECTED(-EINVAL, put_u64(w.code, off->object_size, -1));
		REJECTED(-EFAULT, put_u64(w.code, off->code_qualname, 0x7000));
	} else {
		REJECTED(-EINVAL, put_u64(w.code, off->code_bytes, 0));
		REJECTED(-EINVAL, put_pointer(w.code, off->code_bytes, w.name));
		REJECTED(-EINVAL, put_u64(w.bytes, off->object_size, 0));
		REJECTED(-EINVAL, put_u64(w.bytes, off->object_size, -1));
		REJECTED(-EFAULT, put_u64(w.code, off->code_name, 0x7000));
	}
}
TEST(rejected)

/* --- another code object ----------------------------------------------------- */

#define STALE(change)                                                                              \
	do {                                                                                       \
		struct py_code *code = (void *)&w;                                                 \
		uint32_t check;                                                                    \
                                                                                                   \
		world__build(&w, w.off);                                                           \
		check = world__check(&w);                                                          \
		change;                                                                            \
		if (read_code(&check, &code) != -ESTALE)                                           \
			fail_msg("%#x: taken for the same: %s", w.off->version, #change);          \
		assert_ptr_equal(code, &w);                                                        \
	} while (0)

static void check_stale(void)
{
	const struct py_offsets *off = w.off;
	uint8_t *function = world__inline_bytecode(&w) ? w.qualname : w.name;

	STALE(put_pointer(w.code, off->code_filename, w.name));
	STALE(put_pointer(w.code, off->code_name, w.file));
	STALE(put_pointer(w.code, off->code_linetable, w.bytes));
	STALE(put_pointer(w.code, off->code_consts, w.bytes));
	STALE(world__str(&w, function, "g")); /* the same places, another name */
	STALE(world__str(&w, w.file, "bpp.py"));
	if (off->version >= 0x030c)
		STALE(put_u32(w.code, off->code_version, 3));
	else
		STALE(put_u32(w.code, off->code_firstlineno, 8));
	if (off->version < 0x030c) {
		STALE(w.table[off->bytes_data + 1]++);
		STALE(put_u64(w.table, off->object_size, 3));
	}
}
TEST(stale)

/*
 * Siblings that were forked from one parent make the same code objects at the same addresses, with
 * the same co_version; what differs are the names. Their hash may not have been computed: then it
 * is the text that counts, as far as the last 32 bytes.
 */
static void check_stale_strings(void)
{
	uint8_t *function = world__inline_bytecode(&w) ? w.qualname : w.name,
		*strings[] = {w.file, function};
	char text[64], other[64];
	struct py_code *code;
	uint32_t check;

	for (int i = 0; i < 2; i++) {
		for (size_t len = 1; len < sizeof(text); len++) {
			memset(text, 'a', sizeof(text));
			text[len] = '\0';
			memcpy(other, text, sizeof(text));
			other[len > 32 ? len - 32 : 0] = 'b';
			world__str(&w, strings[i], text);
			put_u64(strings[i], w.off->str_hash, -1);
			check = world__check(&w);
			assert_int_equal(read_code(&check, &code), 0);
			py_code__free(code);
			/* What is behind it is not of it. */
			strings[i][w.off->str_ascii_data + len + 1] = 'x';
			assert_int_equal(read_code(&check, &code), 0);
			py_code__free(code);
			world__str(&w, strings[i], other);
			put_u64(strings[i], w.off->str_hash, -1);
			assert_int_equal(read_code(&check, &code), -ESTALE);
		}
		world__build(&w, w.off);
	}
}
TEST(stale_strings)

/* Up to 3.11, in place of a version: the first 32 bytes of the line table, and no byte behind it.
 */
static void check_stale_table(void)
{
	struct py_code *code;
	uint8_t table[40] = {};
	uint32_t check;

	if (w.off->version >= 0x030c)
		return;
	for (size_t size = 1; size <= sizeof(table); size++) {
		for (size_t i = 0; i < sizeof(table); i++) {
			world__bytes(&w, w.table, table, size);
			check = world__check(&w);
			w.table[w.off->bytes_data + i]++;
			if (i < size && i < 32) {
				assert_int_equal(read_code(&check, &code), -ESTALE);
				continue;
			}
			assert_int_equal(read_code(&check, &code), 0);
			py_code__free(code);
		}
	}
}
TEST(stale_table)

/* What the kernel side could not read is zero there, and here. */
static void check_unreadable_parts(void)
{
	uint32_t check;
	struct py_code *code;
	__u64 words[CT_CODE_WORDS], table[1 + CT_TABLE_WORDS] = {}, strings;
	uint32_t at[CT_CODE_WORDS];

	if (w.off->version >= 0x030c)
		return;
	put_u64(w.code, w.off->code_linetable, 0x7000);
	py_offsets__code_words(w.off, at);
	for (int i = 0; i < CT_CODE_WORDS; i++)
		words[i] = at[i] ? world__word(w.code + at[i]) : 0;
	strings = world__str_check(&w, world__inline_bytecode(&w) ? w.qualname : w.name) |
		  (uint64_t)world__str_check(&w, w.file) << 32;
	check = ct_code_digest(words, strings, table);
	assert_int_equal(read_code(&check, &code), -EFAULT); /* not -ESTALE */
}
TEST(unreadable_parts)

/* --- from what was read before ----------------------------------------------- */

/* A code object that nobody has any more; the types are still there, or not even they. */
static int read_chunks(const struct mem_chunk *chunks, pid_t pid, struct py_code **out)
{
	struct mem_source mem = {.n = pid != 0, .pids = {pid}};

	mem.n_chunks = WORLD_CHUNKS;
	mem.chunks = chunks;
	return py_code__read(&mem, w.off, (uintptr_t)w.code, NULL, out);
}

static void check_chunks(void)
{
	uint32_t start = world__inline_bytecode(&w) ? w.off->code_adaptive : 0;
	struct mem_chunk chunks[WORLD_CHUNKS];
	struct py_code *code;

	world__chunks(&w, chunks);
	for (int gone = 0; gone < 2; gone++) {
		assert_int_equal(read_chunks(chunks, gone ? 0 : getpid(), &code), 0);
		assert_string_equal(code->file, "app.py");
		assert_string_equal(code->function, world__function(&w));
		assert_int_equal(LINE(start + 6), 7);
		assert_int_equal(LINE(start + 8), 8);
		assert_false(code->cut || code->table_cut);
		py_code__free(code);
	}
	/* The types are asked, where they can be. */
	put_pointer(w.code_type, w.off->type_name, "cell");
	assert_int_equal(read_chunks(chunks, getpid(), &code), -EINVAL);
	assert_int_equal(read_chunks(chunks, 0, &code), 0);
	py_code__free(code);
}
TEST(chunks)

/* The process is not asked for what they lack: it may be another code object by now. */
static void check_chunks_missing(void)
{
	struct mem_chunk chunks[WORLD_CHUNKS];
	struct py_code *code = (void *)&w;

	for (int i = 0; i < 3; i++) {
		world__chunks(&w, chunks);
		chunks[i].len = 0;
		assert_int_equal(read_chunks(chunks, getpid(), &code), -ESRCH);
		assert_ptr_equal(code, &w);
	}
	world__chunks(&w, chunks);
	chunks[3].len = 0;
	assert_int_equal(read_chunks(chunks, getpid(), &code), 0);
	assert_true(code->cut);
	assert_null(code->line_table);
	py_code__free(code);
}
TEST(chunks_missing)

static void check_chunks_cut(void)
{
	uint32_t start = world__inline_bytecode(&w) ? w.off->code_adaptive : 0;
	size_t table = w.off->bytes_data + (w.off->version < 0x030a ? 0 : 2);
	struct mem_chunk chunks[WORLD_CHUNKS];
	struct py_code *code;

	world__chunks(&w, chunks);
	chunks[1].len = w.off->str_ascii_data + 3;
	chunks[3].len = table;
	assert_int_equal(read_chunks(chunks, getpid(), &code), 0);
	assert_string_equal(code->file, "app\xe2\x80\xa6");
	assert_true(code->cut && code->table_cut);
	/* The first pair of lnotab says how far line 7 goes: without it nothing is known. */
	assert_int_equal(LINE(start + 6), w.off->version < 0x030a ? 0 : 7);
	assert_int_equal(LINE(start + 8), 0);
	py_code__free(code);
}
TEST(chunks_cut)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code),
		cmocka_unit_test(line),
		cmocka_unit_test(no_table),
		cmocka_unit_test(trampoline),
		cmocka_unit_test(rejected),
		cmocka_unit_test(stale),
		cmocka_unit_test(stale_table),
		cmocka_unit_test(stale_strings),
		cmocka_unit_test(unreadable_parts),
		cmocka_unit_test(chunks),
		cmocka_unit_test(chunks_missing),
		cmocka_unit_test(chunks_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
