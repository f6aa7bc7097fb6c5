/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <cowtrace/abi.h>

#include "cause_rows.h"

/* --- memory of C --- */

#define FLAG(bits) .insn = {.kind = INSN_LOGIC, .width = 8, .source = INSN_SRC_IMM, .imm = (bits)}
#define LINKS	   .insn = {.kind = INSN_VECTOR, .width = 16, .has_base = true, .disp = 16}
static const struct row malloc_chunks_rows[] = {
	ROW("no symbols, no value", ALLOCATOR, LIKELY, "malloc", NULL, HEAP, STORE, .addr = ADDR,
	    .python = true, .module = "libc.so.6"),
	ROW("no value, musl", ALLOCATOR, LIKELY, "malloc", NULL, HEAP, STORE,
	    .module = "ld-musl-x86_64.so.1"),
	ROW("no value, old libc", ALLOCATOR, LIKELY, "malloc", NULL, HEAP, STORE,
	    .module = "libc-2.31.so"),
	ROW("offset for a symbol", ALLOCATOR, LIKELY, "malloc", NULL, HEAP, STORE,
	    .module = "libc.so.6", .symbol = "libc.so.6+0x1234"),
	ROW("size and flags", ALLOCATOR, PROVEN, "malloc", NULL, HEAP, STORE, .addr = ADDR + 8,
	    VALUES(0x411, 0x211), .python = true, .module = "libc.so.6"),
	ROW("size at the end", ALLOCATOR, PROVEN, "malloc", NULL, HEAP, STORE, .addr = ADDR,
	    VALUES(0x1050, 0xc40), .python = true, .module = "libc.so.6"),
	ROW("link", ALLOCATOR, PROVEN, "malloc", NULL, HEAP, STORE, .addr = ADDR,
	    VALUES(7, 0x55550000a000), .python = true, .module = "libc.so.6"),
	ROW("mangled link", ALLOCATOR, PROVEN, "malloc", NULL, HEAP, STORE, .addr = ADDR,
	    VALUES(7, 0x55550000a000 ^ ADDR >> 12), .python = true, .module = "libc.so.6"),
	ROW("second word of a block", ALLOCATOR, PROVEN, "malloc", NULL, HEAP, STORE,
	    .addr = ADDR + 8, VALUES(0, 0xaf394dbe37e5f3b1), .python = true, .module = "libc.so.6",
	    IN_USE(MALLOC)),
	ROW("second word behind a header", ALLOCATOR, PROVEN, "malloc", NULL, HEAP,
	    .insn = {.kind = INSN_STORE, .width = 8, .has_base = true, .disp = 24},
	    .addr = ADDR + 8, VALUES(0, 0xaf394dbe37e5f3b1), .has_window = true,
	    .window = {[1] = 0x1c1}, .python = true, .module = "libc.so.6"),
	ROW("second word of what?", BUFFER, LIKELY, "libc.so.6", NULL, HEAP,
	    .insn = {.kind = INSN_STORE, .width = 8, .has_base = true, .disp = 24},
	    .addr = ADDR + 8, VALUES(0, 0xaf394dbe37e5f3b1), .has_window = true,
	    .window = {[1] = 0x1c0}, .python = true, .module = "libc.so.6"),
	ROW("a word of a copy", BUFFER, LIKELY, "libc.so.6", NULL, HEAP, STORE, .addr = ADDR,
	    VALUES(7, 0x38776f72021b0004), .python = true, .module = "libc.so.6"),
	ROW("... that is not aligned", BUFFER, PROVEN, "libc.so.6", NULL, HEAP, STORE,
	    .addr = ADDR + 3, VALUES(7, 0x38776f72021b0004), .python = true, .module = "libc.so.6",
	    IN_USE(MALLOC)),
	/* free() writes where the object's head was */
	ROW("not a GC head", ALLOCATOR, PROVEN, "malloc", NULL, PREV, STORE,
	    VALUES(0, 0x55550000a000), .python = true, .module = "libc.so.6"),
	ROW("anonymous", ALLOCATOR, PROVEN, "malloc", NULL, ANON, STORE, LIBC("malloc")),
	ROW("another function", BUFFER, PROVEN, "libc.so.6", NULL, HEAP, STORE, .python = true,
	    LIBC("qsort_r")),
	ROW("malloc_info", BUFFER, PROVEN, "libc.so.6", NULL, HEAP, STORE, .python = true,
	    LIBC("malloc_info")),
	ROW("another library", BUFFER, PROVEN, "libcrypt.so.1", NULL, HEAP, STORE, .python = true,
	    .module = "libcrypt.so.1", .symbol = "malloc", .symbol_is_function = true),
	ROW("elsewhere", NATIVE_DATA, PROVEN, "libc.so.6", NULL,
	    .region = {.kind = REGION_DATA, .name = "libc.so.6"}, STORE, LIBC("malloc")),
	ROW("memcpy", BUFFER, PROVEN, "libc.so.6", NULL, HEAP, INSN(INSN_VECTOR, 32),
	    .python = true, .module = "libc.so.6"),
	/* and [chunk + 8], ~1; or [chunk + 8], 1 */
	ROW("in use no more", ALLOCATOR, PROVEN, "malloc", NULL, HEAP, FLAG(~1), .addr = ADDR + 8,
	    .has_old = true, .old_value = 0x1f71, .python = true, .module = "libc.so.6"),
	ROW("in use again", ALLOCATOR, PROVEN, "malloc", NULL, HEAP, FLAG(1), .addr = ADDR + 8,
	    .has_old = true, .old_value = 0x1f70, .python = true, .module = "libc.so.6"),
	ROW("not a flag", BUFFER, LIKELY, "libc.so.6", NULL, HEAP, FLAG(0xf0), .addr = ADDR + 8,
	    .has_old = true, .old_value = 0x1f71, .python = true, .module = "libc.so.6"),
	ROW("not a size", BUFFER, LIKELY, "libc.so.6", NULL, HEAP, FLAG(1), .addr = ADDR + 8,
	    .has_old = true, .old_value = 0x78, .python = true, .module = "libc.so.6"),
	ROW("a flag of something else", BUFFER, LIKELY, "libc.so.6", NULL, HEAP, FLAG(1),
	    .addr = ADDR, .has_old = true, .old_value = 0x1f71, .python = true,
	    .module = "libc.so.6"),
	ROW("two links behind a header", ALLOCATOR, PROVEN, "malloc", NULL, HEAP, LINKS,
	    .addr = ADDR, .has_window = true, .window = {[2] = 0x231}, .python = true,
	    .module = "libc.so.6"),
	ROW("two links at the start of a block", ALLOCATOR, PROVEN, "malloc", NULL, HEAP, LINKS,
	    .addr = ADDR, IN_USE(MALLOC), .python = true, .module = "libc.so.6"),
	ROW("two links, the header comes later", ALLOCATOR, LIKELY, "malloc", NULL, HEAP, LINKS,
	    .addr = ADDR, .has_window = true, .window = {[2] = 0x1f04}, .python = true,
	    .module = "libc.so.6"),
	ROW("a copy that has come to a new page", BUFFER, LIKELY, "libc.so.6", NULL, HEAP, LINKS,
	    .addr = 0x7f0000001000, .python = true, .module = "libc.so.6"),
	ROW("a copy into the middle of a block", BUFFER, PROVEN, "libc.so.6", NULL, HEAP, LINKS,
	    .addr = 0x7f0000001000, IN_USE(MALLOC), .python = true, .module = "libc.so.6"),
	ROW("rep stos", BUFFER, PROVEN, "libc.so.6", NULL, ANON, INSN(INSN_STRING, 8),
	    .python = true, .module = "libc.so.6"),
	ROW("two links?", BUFFER, LIKELY, "libc.so.6", NULL, ANON, INSN(INSN_VECTOR, 16),
	    .python = true, .module = "libc.so.6"),
};

static void malloc_chunks(void **state)
{
	static const char *const known[] = {"malloc",
					    "free",
					    "calloc",
					    "realloc",
					    "_int_malloc",
					    "_int_free",
					    "__libc_malloc",
					    "__libc_free",
					    "__GI___libc_malloc",
					    "__libc_calloc",
					    "sysmalloc",
					    "unlink_chunk",
					    "malloc_consolidate"};

	(void)state;
	JUDGE(malloc_chunks_rows);
	for (size_t i = 0; i < N(known); i++) {
		const struct row row = ROW(known[i], ALLOCATOR, PROVEN, "malloc", NULL, HEAP, STORE,
					   LIBC(known[i]));

		judge(&row, 1);
	}
}

#define EXTENSION "_multiarray_umath.cpython-311-x86_64-linux-gnu.so"
#define MMAP	  "mmap.cpython-315-x86_64-linux-gnu.so"
static const struct row raw_memory_rows[] = {
	ROW("vector", BUFFER, LIKELY, "", NULL, ANON, INSN(INSN_VECTOR, 16), PYTHON_CODE),
	ROW("string", BUFFER, LIKELY, "", NULL, HEAP, INSN(INSN_STRING, 1), PYTHON_CODE),
	ROW("mapped file", BUFFER, PROVEN, "mapped file", NULL, REGION(REGION_FILE), STORE),
	ROW("mapped file, who?", BUFFER, LIKELY, "mapped file", NULL, REGION(REGION_FILE)),
	ROW("shared", BUFFER, PROVEN, "mapped file", NULL, REGION(REGION_SHARED), STORE),
	ROW("block", BUFFER, PROVEN, "", NULL, ANON, INSN(INSN_VECTOR, 16), PYTHON_CODE,
	    IN_USE(MALLOC)),
	ROW("byte of a bytearray", BUFFER, PROVEN, "", NULL, ANON, INSN(INSN_STORE, 1),
	    VALUES(0, 1), PYTHON_CODE, IN_USE(MALLOC)),
	ROW("array of numbers", BUFFER, PROVEN, EXTENSION, NULL, HEAP, INSN(INSN_STORE, 8),
	    VALUES(0x7f0000001000, 0xee6), .python = true, .module = EXTENSION, .sweep = true),
	ROW("array of doubles", BUFFER, PROVEN, EXTENSION, NULL, HEAP, INSN(INSN_STORE, 8),
	    VALUES(0, 0x3ff0000000000000), .python = true, .module = EXTENSION, .sweep = true),
	ROW("array of pointers", BUFFER, LIKELY, EXTENSION, NULL, HEAP, INSN(INSN_STORE, 8),
	    VALUES(0, 0x7f0000001000), .python = true, .module = EXTENSION, .sweep = true),
	ROW("one number", BUFFER, LIKELY, EXTENSION, NULL, HEAP, INSN(INSN_STORE, 8),
	    VALUES(0x7f0000001000, 0xee6), .python = true, .module = EXTENSION),
	ROW("no value", BUFFER, LIKELY, "", NULL, ANON, INSN(INSN_STORE, 1), PYTHON_CODE,
	    IN_USE(MALLOC)),
	ROW("library without objects", BUFFER, PROVEN, "libsqlite3.so.0.8.6", NULL, HEAP, STORE,
	    .python = true, .module = "libsqlite3.so.0.8.6"),
	ROW("extension, in a block", BUFFER, PROVEN, "_multiarray_umath.cpython-311.so", NULL, HEAP,
	    STORE, .python = true, .module = "_multiarray_umath.cpython-311.so", IN_USE(MALLOC)),
	ROW("library", BUFFER, LIKELY, "_multiarray_umath.cpython-311-x86_64-linux-gnu.so", NULL,
	    ANON, STORE, .python = true,
	    .module = "_multiarray_umath.cpython-311-x86_64-linux-gnu.so"),
	ROW("item of an mmap", BUFFER, PROVEN, MMAP, NULL, ANON, INSN(INSN_STORE, 1),
	    .python = true, .module = MMAP, .opcode_kind = PY_OPCODE_STORES, VALUES(0, 1)),
	ROW("... not in the heap", BUFFER, LIKELY, MMAP, NULL, HEAP, INSN(INSN_STORE, 1),
	    .python = true, .module = MMAP, .opcode_kind = PY_OPCODE_STORES, VALUES(0, 1)),
	ROW("... by a call", BUFFER, LIKELY, MMAP, NULL, ANON, INSN(INSN_STORE, 1), .python = true,
	    .module = MMAP, .opcode_kind = PY_OPCODE_CALLS, VALUES(0, 1)),
	ROW("wide vectors", BUFFER, PROVEN, MMAP, NULL, HEAP, INSN(INSN_VECTOR, 32), .python = true,
	    .module = MMAP),
	ROW("two words at once", BUFFER, LIKELY, MMAP, NULL, HEAP, INSN(INSN_VECTOR, 16),
	    .python = true, .module = MMAP),
	ROW("library that knows objects", BUFFER, LIKELY, "libtorch_python.so", NULL, HEAP, STORE,
	    .python = true, .module = "libtorch_python.so"),
	/* a hash in some table of the interpreter? */
	ROW("a word in a block", BUFFER, LIKELY, "", NULL, ANON, STORE, VALUES(0, 0x1234),
	    PYTHON_CODE, IN_USE(MALLOC)),
	ROW("an item in a block", BUFFER, PROVEN, "", NULL, ANON, STORE, VALUES(0, 0x1234),
	    PYTHON_CODE, IN_USE(MALLOC), .opcode_kind = PY_OPCODE_STORES),
	ROW("no Python", BUFFER, PROVEN, "", NULL, ANON, STORE, .no_python = true,
	    .module = "worker"),
	ROW("no Python, heap", BUFFER, PROVEN, "", NULL, HEAP, INSN(INSN_ADD, 4),
	    .no_python = true),
	ROW("no Python, who?", UNKNOWN, NONE, "heap", NULL, HEAP, .no_python = true),
	ROW("no Python, bulk", BUFFER, PROVEN, "", NULL, HEAP, INSN(INSN_VECTOR, 16),
	    .no_python = true),
	ROW("a Python of some version", UNKNOWN, NONE, "heap", NULL, HEAP, STORE,
	    .module = "python3.16"),
	ROW("... and its memcpy", BUFFER, LIKELY, "", NULL, HEAP, INSN(INSN_VECTOR, 16),
	    .module = "python3.16"),
};

static void raw_memory(void **state)
{
	(void)state;
	JUDGE(raw_memory_rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malloc_chunks),
		cmocka_unit_test(raw_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
