/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <cowtrace/abi.h>

#include "model/cause.h"
#include "model/facts.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct row {
	const char *name;
	struct fault_facts facts;
	enum cause cause;
	enum certainty certainty;
	const char *detail;
	const char *type; /* NULL: none */
};

#define PROVEN CERTAINTY_PROVEN
#define LIKELY CERTAINTY_LIKELY
#define NONE   CERTAINTY_NONE

/* Instructions. */
#define INSN(kind_, width_) .insn = {.kind = (kind_), .width = (width_)}
#define STORE		    INSN(INSN_STORE, 8)
#define STORE32		    INSN(INSN_STORE, 4)
#define READ		    INSN(INSN_READ, 8)
/* Values around the write. */
#define VALUES(old, new) .has_old = true, .old_value = (old), .has_new = true, .new_value = (new)
/* Places. */
#define REGION(k) .region = {.kind = (k)}
#define ANON	  REGION(REGION_ANON)
#define HEAP	  REGION(REGION_HEAP)
/* Code that writes. */
#define PYTHON_CODE .python = true, .module = "libpython3.11.so.1.0"
#define LIBC(sym)   .module = "libc.so.6", .symbol = (sym), .symbol_is_function = true

#define ADDR 0x7f0000000100ul

static const struct type_fact an_int = {.name = "int"};
static const struct type_fact a_dict = {.name = "dict", .has_gc = true};
static const struct type_fact a_str = {.name = "str"};
static const struct type_fact bytes = {.name = "bytes"};
static const struct type_fact a_frozenset = {.name = "frozenset", .has_gc = true};
static const struct type_fact a_klass = {.name = "Klass", .has_gc = true, .preheader = true};

static void judge(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		struct verdict v;

		memset(&v, 0x5a, sizeof(v));
		cause__judge(&r->facts, &v);
		assert_non_null(v.detail);
		if (v.cause != r->cause || v.certainty != r->certainty ||
		    strcmp(v.detail, r->detail) != 0 || (!v.type != !r->type) ||
		    (v.type && strcmp(v.type, r->type) != 0))
			fail_msg("%s: %s, '%s', %s, type %s", r->name, cause__name(v.cause),
				 v.detail, certainty__name(v.certainty), v.type ?: "-");
	}
}

#define ROW(name_, cause_, certainty_, detail_, type_, ...)                                        \
	{                                                                                          \
		.name = (name_), .cause = CAUSE_##cause_, .certainty = (certainty_),               \
		.detail = (detail_), .type = (type_), .facts = {                                   \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define JUDGE(rows) judge(rows, N(rows))

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
#define WARMUP INSN(INSN_STORE, 2)
static const struct row code_objects_rows[] = {
	ROW("bytecode", INLINE_CACHE, PROVEN, "bytecode", NULL, CODE(true, true, 200), STORE),
	ROW("16-bit counter", INLINE_CACHE, PROVEN, "bytecode", NULL, CODE(true, true, 200),
	    INSN(INSN_ADD, 2)),
	ROW("of a caller", INLINE_CACHE, LIKELY, "bytecode", NULL, CODE(false, true, 200), STORE),
	ROW("who?", INLINE_CACHE, LIKELY, "bytecode", NULL, CODE(true, true, 200)),
	ROW("warmup", INLINE_CACHE, PROVEN, "warmup", NULL, CODE(true, false, 52), WARMUP,
	    .python_version = 0x030b),
	ROW("warmup, second byte", INLINE_CACHE, PROVEN, "warmup", NULL, CODE(true, false, 53),
	    WARMUP, .python_version = 0x030b),
	ROW("warmup of a caller", INLINE_CACHE, LIKELY, "warmup", NULL, CODE(false, false, 52),
	    WARMUP, .python_version = 0x030b),
	ROW("warmup, 64 bit", INLINE_CACHE, LIKELY, "warmup", NULL, CODE(true, false, 52), STORE,
	    .python_version = 0x030b),
	ROW("no warmup before", UNKNOWN, NONE, "unmapped", NULL, CODE(true, false, 51), WARMUP,
	    .python_version = 0x030b),
	ROW("no warmup behind", UNKNOWN, NONE, "unmapped", NULL, CODE(true, false, 54), WARMUP,
	    .python_version = 0x030b),
	ROW("no warmup in 3.12", UNKNOWN, NONE, "unmapped", NULL, CODE(true, false, 52), WARMUP,
	    .python_version = 0x030c),
	ROW("no code found", UNKNOWN, NONE, "unmapped", NULL,
	    .code = {.on_stack = true, .in_bytecode = true}, STORE),
};

static void code_objects(void **state)
{
	(void)state;
	JUDGE(code_objects_rows);
}

/* --- pymalloc --- */

#define HEADER	 .pool = {.found = true, .header = true, .block_size = 32}
#define FREE(at) .pool = {.found = true, .block = (at), .block_is_free = true, .block_size = 64}
static const struct row pools_rows[] = {
	ROW("header", ALLOCATOR, PROVEN, "pymalloc pool", NULL, HEADER, STORE32),
	ROW("header, count", ALLOCATOR, PROVEN, "pymalloc pool", NULL, HEADER, INSN(INSN_ADD, 4)),
	ROW("header, vector", ALLOCATOR, LIKELY, "pymalloc pool", NULL, HEADER,
	    INSN(INSN_VECTOR, 16)),
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
	    .pool = {.found = true, .block = ADDR, .block_size = 64}, .addr = ADDR, STORE),
};

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
	/* an object is made in a block: there was no count */
	ROW("old 0", ALLOCATOR, LIKELY, "reuse of a block", "int", COUNT(INSN_STORE, 8, 0, 1)),
	ROW("old 0, 32 bits", ALLOCATOR, LIKELY, "reuse of a block", "int",
	    COUNT(INSN_STORE, 4, 0, 1)),
	ROW("old link", ALLOCATOR, LIKELY, "reuse of a block", "int",
	    COUNT(INSN_STORE, 8, 0x7f0000000200, 1)),
	ROW("link + 1", ALLOCATOR, LIKELY, "reuse of a block", "int",
	    COUNT(INSN_STORE, 8, 0x7f0000000200, 0x7f0000000201)),
	/* neither up nor down by one */
	ROW("by two", REFCOUNT, LIKELY, "", "int", COUNT(INSN_ADD, 8, 7, 9)),
	ROW("store of a count", REFCOUNT, LIKELY, "", "int", COUNT(INSN_STORE, 8, 7, 1000)),
	ROW("add to 0", REFCOUNT, LIKELY, "", "int", COUNT(INSN_ADD, 8, 0, 1)),
	ROW("16 bits", REFCOUNT, LIKELY, "", "int", COUNT(INSN_ADD, 2, 7, 8)),
	ROW("value not known", REFCOUNT, LIKELY, "", "int", .addr = ADDR, .type_at = {&an_int},
	    STORE, .has_old = true, .old_value = 7),
	ROW("xadd", REFCOUNT, LIKELY, "", "int", .addr = ADDR, .type_at = {&an_int},
	    INSN(INSN_XCHG, 8)),
	/* no counting at all */
	ROW("vector", BUFFER, LIKELY, "", NULL, .addr = ADDR, .type_at = {&an_int},
	    INSN(INSN_VECTOR, 16), HEAP),
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

#define PREV .addr = ADDR, .type_at = {[OBJECT_AT_GC_PREV] = &a_dict}, HEAP
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
	ROW("track, value not known", GC_HEADER, PROVEN, "track", "Klass", NEXT, STORE),
	ROW("untrack", GC_HEADER, PROVEN, "untrack", "Klass", NEXT, STORE,
	    VALUES(0x7f0000000300, 0)),
	ROW("who?", GC_HEADER, LIKELY, "track", "dict", PREV),
	ROW("32 bits", GC_HEADER, LIKELY, "track", "dict", PREV, STORE32),
	ROW("both: _gc_prev", GC_HEADER, PROVEN, "track", "dict", .addr = ADDR,
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
};

static void native_data(void **state)
{
	(void)state;
	JUDGE(native_data_rows);
}

/* --- fields of objects --- */

#define FIELD(t, off)                                                                              \
	.pool = {.found = true,                                                                    \
		 .type = &(t),                                                                     \
		 .object = ADDR,                                                                   \
		 .block = ADDR - 32,                                                               \
		 .block_size = 256},                                                               \
	.addr = ADDR + (off), HEAP, PYTHON_CODE
#define V311 .python_version = 0x030b
#define V312 .python_version = 0x030c
static const struct row object_fields_rows[] = {
	ROW("hash of a str", LAZY_CACHE, LIKELY, "", "str", FIELD(a_str, 24), STORE, V311),
	ROW("its last byte", LAZY_CACHE, LIKELY, "", "str", FIELD(a_str, 31), INSN(INSN_STORE, 1),
	    V311),
	ROW("state of a str", MUTATION, LIKELY, "field", "str", FIELD(a_str, 32), STORE32, V311),
	ROW("utf8_length, 3.11", LAZY_CACHE, LIKELY, "", "str", FIELD(a_str, 48), STORE, V311),
	ROW("utf8, 3.11", LAZY_CACHE, LIKELY, "", "str", FIELD(a_str, 56), STORE, V311),
	ROW("data, 3.11", MUTATION, LIKELY, "field", "str", FIELD(a_str, 64), STORE, V311),
	ROW("wstr, 3.11", MUTATION, LIKELY, "field", "str", FIELD(a_str, 40), STORE, V311),
	ROW("utf8_length, 3.12", LAZY_CACHE, LIKELY, "", "str", FIELD(a_str, 40), STORE, V312),
	ROW("utf8, 3.12", LAZY_CACHE, LIKELY, "", "str", FIELD(a_str, 55), INSN(INSN_STORE, 1),
	    V312),
	ROW("data, 3.12", MUTATION, LIKELY, "field", "str", FIELD(a_str, 56), STORE, V312),
	ROW("hash of bytes", LAZY_CACHE, LIKELY, "", "bytes", FIELD(bytes, 24), STORE),
	ROW("data of bytes", MUTATION, LIKELY, "field", "bytes", FIELD(bytes, 32), STORE),
	ROW("hash of a frozenset", LAZY_CACHE, LIKELY, "", "frozenset", FIELD(a_frozenset, 48),
	    STORE),
	ROW("behind it", MUTATION, LIKELY, "field", "frozenset", FIELD(a_frozenset, 56), STORE),
	ROW("of a dict", MUTATION, LIKELY, "field", "dict", FIELD(a_dict, 16), INSN(INSN_ADD, 8)),
	ROW("24 is the hash of a str only", MUTATION, LIKELY, "field", "dict", FIELD(a_dict, 24),
	    STORE),
	ROW("GC head", GC_HEADER, LIKELY, "track", "dict", FIELD(a_dict, -16), STORE),
	ROW("GC head, collecting", GC_HEADER, LIKELY, "collect", "dict", FIELD(a_dict, -1), STORE,
	    .gc_collecting = true),
	ROW("before it", MUTATION, LIKELY, "managed dict", "Klass", FIELD(a_klass, -17), STORE),
	ROW("before it, 32", MUTATION, LIKELY, "managed dict", "Klass", FIELD(a_klass, -32), STORE),
	ROW("a read is no mutation", UNKNOWN, NONE, "heap", NULL, FIELD(a_dict, 16), READ),
};

static void object_fields(void **state)
{
	(void)state;
	JUDGE(object_fields_rows);
}

/* --- memory of C --- */

static const struct row malloc_chunks_rows[] = {
	ROW("no symbols", ALLOCATOR, LIKELY, "malloc", NULL, HEAP, STORE, .python = true,
	    .module = "libc.so.6"),
	ROW("no symbols, musl", ALLOCATOR, LIKELY, "malloc", NULL, HEAP, STORE,
	    .module = "ld-musl-x86_64.so.1"),
	ROW("old libc", ALLOCATOR, LIKELY, "malloc", NULL, HEAP, STORE, .module = "libc-2.31.so"),
	ROW("offset for a symbol", ALLOCATOR, LIKELY, "malloc", NULL, HEAP, STORE,
	    .module = "libc.so.6", .symbol = "libc.so.6+0x1234"),
	ROW("anonymous", ALLOCATOR, PROVEN, "malloc", NULL, ANON, STORE, LIBC("malloc")),
	ROW("another function", BUFFER, LIKELY, "libc.so.6", NULL, HEAP, STORE, .python = true,
	    LIBC("qsort_r")),
	ROW("malloc_info", BUFFER, LIKELY, "libc.so.6", NULL, HEAP, STORE, .python = true,
	    LIBC("malloc_info")),
	ROW("another library", BUFFER, LIKELY, "libcrypt.so.1", NULL, HEAP, STORE, .python = true,
	    .module = "libcrypt.so.1", .symbol = "malloc", .symbol_is_function = true),
	ROW("elsewhere", NATIVE_DATA, PROVEN, "libc.so.6", NULL,
	    .region = {.kind = REGION_DATA, .name = "libc.so.6"}, STORE, LIBC("malloc")),
	ROW("memcpy", BUFFER, LIKELY, "", NULL, HEAP, INSN(INSN_VECTOR, 32), .module = "libc.so.6"),
	ROW("rep stos", BUFFER, LIKELY, "", NULL, ANON, INSN(INSN_STRING, 8),
	    .module = "libc.so.6"),
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

static const struct row raw_memory_rows[] = {
	ROW("vector", BUFFER, LIKELY, "", NULL, ANON, INSN(INSN_VECTOR, 16), PYTHON_CODE),
	ROW("string", BUFFER, LIKELY, "", NULL, HEAP, INSN(INSN_STRING, 1), PYTHON_CODE),
	ROW("mapped file", BUFFER, PROVEN, "mapped file", NULL, REGION(REGION_FILE), STORE),
	ROW("mapped file, who?", BUFFER, LIKELY, "mapped file", NULL, REGION(REGION_FILE)),
	ROW("shared", BUFFER, PROVEN, "mapped file", NULL, REGION(REGION_SHARED), STORE),
	ROW("library", BUFFER, LIKELY, "_multiarray_umath.cpython-311-x86_64-linux-gnu.so", NULL,
	    ANON, STORE, .python = true,
	    .module = "_multiarray_umath.cpython-311-x86_64-linux-gnu.so"),
	ROW("no Python", BUFFER, PROVEN, "", NULL, ANON, STORE, .module = "worker"),
	ROW("no Python, heap", BUFFER, PROVEN, "", NULL, HEAP, INSN(INSN_ADD, 4)),
	ROW("no Python, who?", UNKNOWN, NONE, "heap", NULL, HEAP),
	ROW("no Python, bulk", BUFFER, LIKELY, "", NULL, HEAP, INSN(INSN_VECTOR, 16)),
};

static void raw_memory(void **state)
{
	(void)state;
	JUDGE(raw_memory_rows);
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
		cmocka_unit_test(reference_counts),
		cmocka_unit_test(gc_headers),
		cmocka_unit_test(native_data),
		cmocka_unit_test(object_fields),
		cmocka_unit_test(malloc_chunks),
		cmocka_unit_test(raw_memory),
		cmocka_unit_test(what_is_not_known),
		cmocka_unit_test(every_region_has_a_verdict),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
