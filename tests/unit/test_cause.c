/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <cowtrace/abi.h>

#include "cause_rows.h"

/* --- not the program, not the heap --- */

static const struct row the_kernel_and_stacks_rows[] = {
	ROW("syscall", KERNEL_WRITE, PROVEN, "read", NULL, .kernel = true, .syscall = "read"),
	ROW("exception", KERNEL_WRITE, PROVEN, "exception", NULL, .kernel = true, STORE),
	ROW("kernel first", KERNEL_WRITE, PROVEN, "recvfrom", NULL, .kernel = true,
	    .syscall = "recvfrom", .datastack = true, .type_at = {&an_int}, HEAP),
	ROW("data stack", STACK, PROVEN, "python", NULL, .datastack = true, STORE, ANON),
	ROW("data stack, push", STACK, PROVEN, "python", NULL, .datastack = true,
	    INSN(INSN_PUSH, 8)),
	ROW("data stack, who?", STACK, LIKELY, "python", NULL, .datastack = true, ANON),
	ROW("data stack, a read", STACK, LIKELY, "python", NULL, .datastack = true, READ),
	ROW("data stack holds no objects", STACK, PROVEN, "python", NULL, .datastack = true, STORE,
	    VALUES(1, 2), .type_at = {&an_int}),
	ROW("stack", STACK, PROVEN, "native", NULL, REGION(REGION_STACK), STORE, .addr = 0x7ffe1000,
	    .sp = 0x7ffe0f00),
	ROW("stack, red zone", STACK, PROVEN, "native", NULL, REGION(REGION_STACK),
	    INSN(INSN_PUSH, 8), .addr = 0x7ffe1000, .sp = 0x7ffe1100),
	ROW("stack, far below", STACK, LIKELY, "native", NULL, REGION(REGION_STACK), STORE,
	    .addr = 0x7ffe1000, .sp = 0x7ffe1101),
	ROW("stack, who?", STACK, LIKELY, "native", NULL, REGION(REGION_STACK), .addr = 0x7ffe1000),
};

static void the_kernel_and_stacks(void **state)
{
	(void)state;
	JUDGE(the_kernel_and_stacks_rows);
}

#define CODE(on, bytecode, off)                                                                    \
	.code = {.found = true, .on_stack = (on), .in_bytecode = (bytecode), .offset = (off)}
static const struct row code_objects_rows[] = {
	ROW("bytecode", INLINE_CACHE, PROVEN, "bytecode", NULL, CODE(true, true, 200), STORE),
	ROW("16-bit counter", INLINE_CACHE, PROVEN, "bytecode", NULL, CODE(true, true, 200),
	    INSN(INSN_ADD, 2)),
	ROW("of a caller", INLINE_CACHE, LIKELY, "bytecode", NULL, CODE(false, true, 200), STORE),
	ROW("a counter of a caller", INLINE_CACHE, PROVEN, "bytecode", NULL, CODE(false, true, 200),
	    INSN(INSN_STORE, 2)),
	ROW("a copy of it", INLINE_CACHE, LIKELY, "bytecode", NULL, CODE(false, true, 200),
	    INSN(INSN_VECTOR, 16)),
	/* the copy of this thread (free-threaded 3.14+) is in no code object */
	ROW("behind the instruction", INLINE_CACHE, PROVEN, "bytecode", NULL, .has_opcode = true,
	    .instr = ADDR, .addr = ADDR + 2, INSN(INSN_STORE, 2)),
	ROW("the instruction itself", INLINE_CACHE, PROVEN, "bytecode", NULL, .has_opcode = true,
	    .instr = ADDR, .addr = ADDR, INSN(INSN_STORE, 1)),
	ROW("its last cache", INLINE_CACHE, PROVEN, "bytecode", NULL, .has_opcode = true,
	    .instr = ADDR, .addr = ADDR + 20, INSN(INSN_STORE, 2)),
	ROW("too far behind", UNKNOWN, NONE, "unmapped", NULL, .has_opcode = true, .instr = ADDR,
	    .addr = ADDR + 22, INSN(INSN_STORE, 2)),
	ROW("before it", UNKNOWN, NONE, "unmapped", NULL, .has_opcode = true, .instr = ADDR,
	    .addr = ADDR - 1, INSN(INSN_STORE, 2)),
	ROW("who?", INLINE_CACHE, LIKELY, "bytecode", NULL, CODE(true, true, 200)),
	ROW("no code found", UNKNOWN, NONE, "unmapped", NULL,
	    .code = {.on_stack = true, .in_bytecode = true}, STORE),
};

static void code_objects(void **state)
{
	(void)state;
	JUDGE(code_objects_rows);
}

/* --- pymalloc --- */

#define HEADER	 .block = {.allocator = BLOCK_PYMALLOC, .header = true, .size = 32, .start = ADDR}
#define FREE(at) .block = {.allocator = BLOCK_PYMALLOC, .start = (at), .is_free = true, .size = 64}
static const struct row pools_rows[] = {
	ROW("header", ALLOCATOR, PROVEN, "pymalloc pool", NULL, HEADER, STORE32),
	ROW("header, count", ALLOCATOR, PROVEN, "pymalloc pool", NULL, HEADER, INSN(INSN_ADD, 4)),
	ROW("header, vector", ALLOCATOR, LIKELY, "pymalloc pool", NULL, HEADER,
	    INSN(INSN_VECTOR, 16)),
	ROW("header, nextpool and prevpool", ALLOCATOR, PROVEN, "pymalloc pool", NULL, HEADER,
	    INSN(INSN_VECTOR, 16), .addr = ADDR + 16),
	ROW("header of mimalloc", ALLOCATOR, PROVEN, "mimalloc segment", NULL, STORE32,
	    .block = {.allocator = BLOCK_MIMALLOC, .header = true}),
	ROW("block of mimalloc", ALLOCATOR, PROVEN, "mimalloc block", NULL, STORE, .addr = ADDR,
	    .block = {.allocator = BLOCK_MIMALLOC, .start = ADDR, .is_free = true}),
	ROW("arena, next pool", ALLOCATOR, PROVEN, "pymalloc pool", NULL, STORE, HEAP,
	    IN_USE(MALLOC), .has_window = true, .window = {0, 0, 0x7f0000100000, 0x7f0000104000}),
	ROW("arena, number of pools", ALLOCATOR, PROVEN, "pymalloc pool", NULL, INSN(INSN_SUB, 4),
	    HEAP, IN_USE(MALLOC), .has_window = true,
	    .window = {0, 0x7f0000100000, 0x7f0000104000, 16}),
	ROW("no arena", MUTATION, PROVEN, "items", NULL, STORE, HEAP, IN_USE(MALLOC),
	    .old_refers = true, .has_window = true,
	    .window = {0, 0, 0x7f0000100000, 0x7f0000104010}),
	ROW("debug hooks", ALLOCATOR, PROVEN, "debug hooks", NULL, INSN(INSN_STRING, 1), HEAP,
	    PYTHON_CODE, .symbol = "_PyMem_DebugRawFree", .symbol_is_function = true),
	ROW("header, who?", ALLOCATOR, LIKELY, "pymalloc pool", NULL, HEADER),
	ROW("block", ALLOCATOR, PROVEN, "pymalloc block", NULL, FREE(ADDR), .addr = ADDR, STORE),
	ROW("block, vector", ALLOCATOR, PROVEN, "pymalloc block", NULL, FREE(ADDR), .addr = ADDR,
	    INSN(INSN_VECTOR, 16)),
	ROW("block, who?", ALLOCATOR, LIKELY, "pymalloc block", NULL, FREE(ADDR), .addr = ADDR),
	/* a count of 1 where the link was: allocation, not counting */
	ROW("block that looks like an object", ALLOCATOR, PROVEN, "pymalloc block", NULL,
	    FREE(ADDR), .addr = ADDR, STORE, VALUES(0x7f0000000200, 1), .type_at = {&an_int}),
	ROW("block, start of the object behind its GC head", ALLOCATOR, PROVEN, "pymalloc block",
	    NULL, FREE(ADDR), .addr = ADDR + 31, STORE),
	ROW("block, further on", UNKNOWN, NONE, "unmapped", NULL, FREE(ADDR), .addr = ADDR + 32,
	    STORE, PYTHON_CODE),
	ROW("a block in use", UNKNOWN, NONE, "unmapped", NULL,
	    .block = {.allocator = BLOCK_PYMALLOC, .start = ADDR, .size = 64}, .addr = ADDR, STORE),
};

/* The window of a write to nextpool of a pool of 16 KiB with blocks of 192 bytes. */
#define POOL_ADDR 0x7f0000004000
#define POOL_WINDOW                                                                                \
	.has_window = true, .window = {[5] = 11ull << 32 | 9, [6] = 16192ull << 32 | 240}
static const struct row free_pools_rows[] = {
	ROW("links of a free pool", ALLOCATOR, PROVEN, "pymalloc pool", NULL, ANON, POOL_WINDOW,
	    INSN(INSN_VECTOR, 16), .addr = POOL_ADDR + 16, PYTHON_CODE),
	ROW("one link of it", ALLOCATOR, PROVEN, "pymalloc pool", NULL, ANON, POOL_WINDOW, STORE,
	    .addr = POOL_ADDR + 16, PYTHON_CODE),
	ROW("not where a pool begins", UNKNOWN, NONE, "anonymous memory", NULL, ANON, POOL_WINDOW,
	    STORE, .addr = POOL_ADDR + 4096 + 16, PYTHON_CODE),
	ROW("no pool", UNKNOWN, NONE, "anonymous memory", NULL, ANON, STORE, .has_window = true,
	    .window = {[5] = 12ull << 32, [6] = 16192ull << 32}, .addr = POOL_ADDR + 16,
	    PYTHON_CODE),
};

static void free_pools(void **state)
{
	(void)state;
	JUDGE(free_pools_rows);
}

static void pools(void **state)
{
	(void)state;
	JUDGE(pools_rows);
}

/* --- reference counts --- */

#define COUNT(i, w, old, new) .addr = ADDR, .type_at = {&an_int}, INSN(i, w), VALUES(old, new), HEAP
static const struct row reference_counts_rows[] = {
	ROW("add [m], 1", REFCOUNT, PROVEN, "inc", "int", COUNT(INSN_ADD, 8, 7, 8)),
	ROW("sub [m], 1", REFCOUNT, PROVEN, "dec", "int", COUNT(INSN_SUB, 8, 7, 6)),
	ROW("inc [m]", REFCOUNT, PROVEN, "inc", "int", COUNT(INSN_INC, 8, 7, 8)),
	ROW("dec [m]", REFCOUNT, PROVEN, "dec", "int", COUNT(INSN_DEC, 8, 7, 6)),
	ROW("to its end", REFCOUNT, PROVEN, "dec", "int", COUNT(INSN_SUB, 8, 1, 0)),
	/* 3.12: a 32-bit store to count up, a 64-bit one to count down */
	ROW("mov [m], r32", REFCOUNT, PROVEN, "inc", "int", COUNT(INSN_STORE, 4, 7, 8)),
	ROW("mov [m], r64", REFCOUNT, PROVEN, "dec", "int", COUNT(INSN_STORE, 8, 7, 6)),
	ROW("mov [m], r32, high half", REFCOUNT, PROVEN, "inc", "int",
	    COUNT(INSN_STORE, 4, 0xabcd00000007, 8)),
	ROW("32 bits to the top", REFCOUNT, PROVEN, "inc", "int",
	    COUNT(INSN_STORE, 4, 0xfffffffe, 0xffffffff)),
	ROW("32 bits around", REFCOUNT, LIKELY, "", "int", COUNT(INSN_STORE, 4, 0xffffffff, 0)),
	/* 3.14: flags in the upper half; immortal from 0xc0000000 on */
	ROW("3.14, flags above", REFCOUNT, PROVEN, "inc", "int",
	    COUNT(INSN_ADD, 4, 0x0004000000000007, 8), V314),
	ROW("3.14, store", REFCOUNT, PROVEN, "dec", "int",
	    COUNT(INSN_STORE, 4, 0x0004000000000007, 6), V314),
	ROW("3.14, immortal", ALLOCATOR, LIKELY, "reuse of a block", "int",
	    COUNT(INSN_STORE, 4, 0x00050000c0000000, 0xc0000001), V314),
	ROW("3.14, a link was there", ALLOCATOR, PROVEN, "reuse of a block", "int",
	    COUNT(INSN_STORE, 8, 0x7f0000000200, 1), V314),
	ROW("3.14, link into a heap at low addresses", ALLOCATOR, PROVEN, "reuse of a block", "int",
	    COUNT(INSN_STORE, 8, 0x2ba41090, 1), V314),
	/* an object is made in a block: there was no count */
	ROW("old 0", ALLOCATOR, PROVEN, "reuse of a block", "int", COUNT(INSN_STORE, 8, 0, 1)),
	ROW("old 0, 32 bits", ALLOCATOR, PROVEN, "reuse of a block", "int",
	    COUNT(INSN_STORE, 4, 0, 1)),
	ROW("old link", ALLOCATOR, PROVEN, "reuse of a block", "int",
	    COUNT(INSN_STORE, 8, 0x7f0000000200, 1)),
	ROW("freed: a link where the count was 0", ALLOCATOR, PROVEN, "reuse of a block", "int",
	    COUNT(INSN_STORE, 8, 0, 0x7f0000000200)),
	ROW("link + 1", ALLOCATOR, LIKELY, "reuse of a block", "int",
	    COUNT(INSN_STORE, 8, 0x7f0000000200, 0x7f0000000201)),
	/* neither up nor down by one */
	ROW("several at once", REFCOUNT, PROVEN, "inc", "int", COUNT(INSN_ADD, 8, 7, 9)),
	ROW("down by several", REFCOUNT, PROVEN, "dec", "int", COUNT(INSN_STORE, 8, 40, 24)),
	ROW("by too many", REFCOUNT, LIKELY, "", "int", COUNT(INSN_ADD, 8, 7, 24)),
	ROW("store of a count", REFCOUNT, LIKELY, "", "int", COUNT(INSN_STORE, 8, 7, 1000)),
	ROW("add to 0", REFCOUNT, LIKELY, "", "int", COUNT(INSN_ADD, 8, 0, 1)),
	ROW("16 bits", REFCOUNT, LIKELY, "", "int", COUNT(INSN_ADD, 2, 7, 8)),
	ROW("value not known", REFCOUNT, LIKELY, "", "int", .addr = ADDR, .type_at = {&an_int},
	    STORE, .has_old = true, .old_value = 7),
	ROW("cmpxchg", REFCOUNT, LIKELY, "", "int", .addr = ADDR, .type_at = {&an_int},
	    INSN(INSN_XCHG, 8)),
	ROW("xadd", REFCOUNT, PROVEN, "inc", "int", COUNT(INSN_XADD, 8, 7, 8)),
	ROW("the block says that it is another field", MUTATION, LIKELY, "field", "dict",
	    FIELD(a_dict, DATA, NULL, 24, 8), STORE, .type_at = {&an_int}),
	/* no counting at all */
	ROW("vector", BUFFER, LIKELY, "", NULL, .addr = ADDR, .type_at = {&an_int},
	    INSN(INSN_VECTOR, 16), PYTHON_CODE, HEAP),
	ROW("who?", UNKNOWN, NONE, "heap", NULL, .addr = ADDR, .type_at = {&an_int}, PYTHON_CODE,
	    HEAP),
	ROW("inside of the count", UNKNOWN, NONE, "heap", NULL, .addr = ADDR + 4,
	    .type_at = {&an_int}, STORE32, VALUES(7, 8), PYTHON_CODE, HEAP),
	ROW("static object in a library", REFCOUNT, PROVEN, "inc", "int", .addr = ADDR,
	    .type_at = {&an_int}, INSN(INSN_ADD, 8), VALUES(7, 8),
	    .region = {.kind = REGION_DATA, .name = "libpython3.11.so.1.0"}),
};

static void reference_counts(void **state)
{
	(void)state;
	JUDGE(reference_counts_rows);
}

/* --- the collector --- */

#define NEXT .addr = ADDR, .type_at = {[OBJECT_AT_GC_NEXT] = &a_klass}, HEAP
static const struct row gc_headers_rows[] = {
	ROW("collect", GC_HEADER, PROVEN, "collect", "dict", PREV, STORE, .gc_collecting = true),
	ROW("collect, _gc_next", GC_HEADER, PROVEN, "collect", "Klass", NEXT, STORE,
	    .gc_collecting = true),
	ROW("collect, flags", GC_HEADER, PROVEN, "collect", "dict", PREV, INSN(INSN_LOGIC, 8),
	    .gc_collecting = true),
	ROW("collect to 0", GC_HEADER, PROVEN, "collect", "dict", PREV, STORE, VALUES(5, 0),
	    .gc_collecting = true),
	ROW("track", GC_HEADER, PROVEN, "track", "dict", PREV, STORE, VALUES(0, 0x7f0000000300)),
	ROW("value not known", GC_HEADER, PROVEN, "link", "Klass", NEXT, STORE),
	/* who is linked in goes behind the last one, which linked to the list's head */
	ROW("track, of the last one", GC_HEADER, PROVEN, "track", "Klass", NEXT, STORE,
	    VALUES(0x555500002028, 0x7f0000000300), .old_link = GC_LINK_LIST),
	ROW("untrack, of the one before", GC_HEADER, PROVEN, "untrack", "Klass", NEXT, STORE,
	    VALUES(0x7f0000000300, 0x7f0000000500), .old_link = GC_LINK_OBJECT),
	ROW("... of the last but one", GC_HEADER, PROVEN, "untrack", "Klass", NEXT, STORE,
	    VALUES(0x7f0000000300, 0x555500002028), .old_link = GC_LINK_OBJECT),
	ROW("one or the other", GC_HEADER, PROVEN, "link", "Klass", NEXT, STORE,
	    VALUES(0x7f0000000300, 0x7f0000000500)),
	ROW("untrack, of the one behind", GC_HEADER, PROVEN, "untrack", "dict", PREV, STORE,
	    VALUES(0x7f0000000301, 0x7f0000000501)),
	ROW("track, own flags", GC_HEADER, PROVEN, "track", "dict", PREV, STORE,
	    VALUES(1, 0x7f0000000301)),
	ROW("untrack, flags stay", GC_HEADER, PROVEN, "untrack", "dict", PREV, INSN(INSN_LOGIC, 8),
	    .has_old = true, .old_value = 0x7f0000000300),
	ROW("track, flags stay", GC_HEADER, PROVEN, "track", "dict", PREV, INSN(INSN_LOGIC, 8),
	    .has_old = true, .old_value = 1),
	ROW("nothing over nothing", GC_HEADER, PROVEN, "link", "dict", PREV, STORE, VALUES(0, 0)),
	ROW("untrack", GC_HEADER, PROVEN, "untrack", "Klass", NEXT, STORE,
	    VALUES(0x7f0000000300, 0)),
	ROW("who?", GC_HEADER, LIKELY, "link", "dict", PREV, INSN(INSN_UNKNOWN, 8)),
	ROW("32 bits", UNKNOWN, NONE, "heap", NULL, PREV, STORE32, PYTHON_CODE),
	ROW("no link, no number", GC_HEADER, LIKELY, "track", "dict", PREV, STORE,
	    VALUES(0, 0xdddddddddddddddd)),
	ROW("a number of references", GC_HEADER, PROVEN, "collect", "dict", PREV, STORE,
	    VALUES(0x7f0000000300, 5 << 2 | 2), .gc_collecting = true),
	ROW("both: _gc_prev", GC_HEADER, PROVEN, "link", "dict", .addr = ADDR,
	    .type_at = {[OBJECT_AT_GC_PREV] = &a_dict, [OBJECT_AT_GC_NEXT] = &a_klass}, STORE),
	ROW("two pointers at once", BUFFER, LIKELY, "", NULL, PREV, INSN(INSN_VECTOR, 16),
	    PYTHON_CODE),
	ROW("memset", BUFFER, LIKELY, "", NULL, PREV, INSN(INSN_STRING, 8), PYTHON_CODE),
	ROW("a count comes before it", REFCOUNT, PROVEN, "inc", "int", .addr = ADDR,
	    .type_at = {&an_int, &a_dict}, INSN(INSN_ADD, 8), VALUES(1, 2)),
};

static void gc_headers(void **state)
{
	(void)state;
	JUDGE(gc_headers_rows);
}

/* --- variables of libraries --- */

static const struct row native_data_rows[] = {
	ROW("thread-local", NATIVE_DATA, PROVEN, "thread-local", NULL, REGION(REGION_TLS), STORE),
	ROW("thread-local, who?", NATIVE_DATA, LIKELY, "thread-local", NULL, REGION(REGION_TLS)),
	ROW("data", NATIVE_DATA, PROVEN, "libz.so.1", NULL,
	    .region = {.kind = REGION_DATA, .name = "libz.so.1"}, STORE),
	ROW("data, vector", NATIVE_DATA, PROVEN, "libz.so.1", NULL,
	    .region = {.kind = REGION_DATA, .name = "libz.so.1"}, INSN(INSN_VECTOR, 32)),
	ROW("data, a read", NATIVE_DATA, LIKELY, "libz.so.1", NULL,
	    .region = {.kind = REGION_DATA, .name = "libz.so.1"}, READ),
	ROW("data of nobody", NATIVE_DATA, PROVEN, "", NULL, REGION(REGION_DATA), STORE),
	ROW("a library that is being loaded", NATIVE_DATA, PROVEN, "relocation", NULL,
	    INSN(INSN_ADD, 8), .origin = CT_ORIGIN_FILE, .module = "ld-linux-x86-64.so.2"),
	ROW("not of a file", UNKNOWN, NONE, "unmapped", NULL, INSN(INSN_ADD, 8),
	    .origin = CT_ORIGIN_ZERO, .module = "ld-linux-x86-64.so.2"),
	ROW("not the loader", UNKNOWN, NONE, "unmapped", NULL, INSN(INSN_ADD, 8),
	    .origin = CT_ORIGIN_FILE, .module = "libc.so.6"),
};

static void native_data(void **state)
{
	(void)state;
	JUDGE(native_data_rows);
}

static const struct row what_is_not_known_rows[] = {
	ROW("nothing", UNKNOWN, NONE, "unmapped", NULL, .python = true),
	ROW("interpreter", UNKNOWN, NONE, "anonymous memory", NULL, ANON, STORE, PYTHON_CODE),
	ROW("static interpreter", UNKNOWN, NONE, "heap", NULL, HEAP, STORE, .python = true,
	    .module = "python3.11"),
	ROW("no module", UNKNOWN, NONE, "heap", NULL, HEAP, STORE, .python = true),
	ROW("module without a name", UNKNOWN, NONE, "heap", NULL, HEAP, STORE, .python = true,
	    .module = ""),
	ROW("a library that only reads", UNKNOWN, NONE, "heap", NULL, HEAP, READ, .python = true,
	    .module = "libz.so.1"),
	/* a rule that looked at the type and gave up leaves none behind */
	ROW("type of no use", UNKNOWN, NONE, "anonymous memory", NULL, .addr = ADDR,
	    .type_at = {&an_int}, READ, ANON, PYTHON_CODE),
};

static void what_is_not_known(void **state)
{
	(void)state;
	JUDGE(what_is_not_known_rows);
}

/* Whatever the facts are, there is a verdict, and its words are there. */
static void every_region_has_a_verdict(void **state)
{
	(void)state;
	for (unsigned int kind = REGION_UNKNOWN; kind <= REGION_SHARED; kind++) {
		for (unsigned int insn = INSN_UNKNOWN; insn <= INSN_READ; insn++) {
			struct fault_facts f = {.python = true, REGION(kind), INSN(insn, 8)};
			struct verdict v;

			cause__judge(&f, &v);
			assert_in_range(v.cause, 0, CAUSE_MAX - 1);
			assert_in_range(v.certainty, 0, CERTAINTY_MAX - 1);
			assert_non_null(v.detail);
		}
	}
}

/* --- names: contracts --- */

static void names(void **state)
{
	static const char *const causes[CAUSE_MAX] = {
		"refcount",    "gc-header", "inline-cache", "lazy-cache",   "mutation", "allocator",
		"native-data", "stack",	    "buffer",	    "kernel-write", "unknown"};
	static const char *const certainties[CERTAINTY_MAX] = {"none", "likely", "proven"};
	static const char *const origins[CT_ORIGIN_MAX] = {"fork", "file", "zero", "ksm"};

	(void)state;
	for (unsigned int i = 0; i < CAUSE_MAX; i++) {
		assert_string_equal(cause__name(i), causes[i]);
		assert_true(cause__help(i)[0] != '\0');
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(cause__help(i), cause__help(k));
	}
	for (unsigned int i = 0; i < CERTAINTY_MAX; i++)
		assert_string_equal(certainty__name(i), certainties[i]);
	for (unsigned int i = 0; i < CT_ORIGIN_MAX; i++)
		assert_string_equal(origin__name(i), origins[i]);
	assert_string_equal(cause__name(CAUSE_MAX), "unknown");
	assert_string_equal(cause__help(CAUSE_MAX), cause__help(CAUSE_UNKNOWN));
	assert_string_equal(certainty__name(CERTAINTY_MAX), "none");
	assert_string_equal(origin__name(CT_ORIGIN_MAX), "fork");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_and_stacks),
		cmocka_unit_test(code_objects),
		cmocka_unit_test(pools),
		cmocka_unit_test(free_pools),
		cmocka_unit_test(reference_counts),
		cmocka_unit_test(gc_headers),
		cmocka_unit_test(native_data),
		cmocka_unit_test(what_is_not_known),
		cmocka_unit_test(every_region_has_a_verdict),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
