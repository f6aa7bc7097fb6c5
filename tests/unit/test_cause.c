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
/* A field of an object that was found. */
#define FIELD_OF(t, k, n, at, w)                                                                   \
	.object = {.type = &(t),                                                                   \
		   .address = ADDR,                                                                \
		   .field = {.kind = PY_FIELD_##k,                                                 \
			     .name = (n),                                                          \
			     .offset = (at),                                                       \
			     .width = (w),                                                         \
			     .empty = PY_FIELD_NEVER_EMPTY}},                                      \
	.addr = ADDR + (at), PYTHON_CODE
#define FIELD(t, k, n, at, w) FIELD_OF(t, k, n, at, w), HEAP
#define V314		      .python_version = 0x030e
/* Code that writes. */
#define PYTHON_CODE .python = true, .module = "libpython3.11.so.1.0"
#define LIBC(sym)   .module = "libc.so.6", .symbol = (sym), .symbol_is_function = true

#define ADDR 0x7f0000000100ul

static const struct type_fact an_int = {.name = "int"};
static const struct type_fact a_dict = {.name = "dict", .has_gc = true};
static const struct type_fact a_str = {.name = "str"};
static const struct type_fact bytes = {.name = "bytes"};
static const struct type_fact a_frozenset = {.name = "frozenset", .has_gc = true};
static const struct type_fact a_type = {.name = "type", .has_gc = true, .is_type = true};
static const struct type_fact a_code = {.name = "code", .is_code = true};
static const struct type_fact the_keys = {.name = PY_FIELD_KEYS};
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
static const struct row code_objects_rows[] = {
	ROW("bytecode", INLINE_CACHE, PROVEN, "bytecode", NULL, CODE(true, true, 200), STORE),
	ROW("16-bit counter", INLINE_CACHE, PROVEN, "bytecode", NULL, CODE(true, true, 200),
	    INSN(INSN_ADD, 2)),
	ROW("of a caller", INLINE_CACHE, PROVEN, "bytecode", NULL, CODE(false, true, 200), STORE),
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
#define IN_USE(allocator_)                                                                         \
	.block = {.allocator = BLOCK_##allocator_,                                                 \
		  .start = ADDR,                                                                   \
		  .size = 512,                                                                     \
		  .content = CONTENT_OTHER}
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
	ROW("who?", GC_HEADER, LIKELY, "track", "dict", PREV, INSN(INSN_UNKNOWN, 8)),
	ROW("32 bits", UNKNOWN, NONE, "heap", NULL, PREV, STORE32, PYTHON_CODE),
	ROW("no link, no number", GC_HEADER, LIKELY, "track", "dict", PREV, STORE,
	    VALUES(0, 0xdddddddddddddddd)),
	ROW("a number of references", GC_HEADER, PROVEN, "collect", "dict", PREV, STORE,
	    VALUES(0x7f0000000300, 5 << 2 | 2), .gc_collecting = true),
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

#define LAZY_OF(t, n, at, w, empty_)                                                               \
	.object = {.type = &(t),                                                                   \
		   .address = ADDR,                                                                \
		   .field = {.kind = PY_FIELD_LAZY,                                                \
			     .name = (n),                                                          \
			     .offset = (at),                                                       \
			     .width = (w),                                                         \
			     .empty = (empty_)}},                                                  \
	.addr = ADDR + (at), PYTHON_CODE
#define LAZY(t, n, at, w, empty_) LAZY_OF(t, n, at, w, empty_), HEAP
#define OPCODE(k)		  .opcode_kind = PY_OPCODE_##k
static const struct row lazy_fields_rows[] = {
	ROW("hash", LAZY_CACHE, PROVEN, "hash", "str", LAZY(a_str, "hash", 24, 8, ~0ull), STORE,
	    VALUES(~0ull, 0x1234)),
	ROW("hash, value not known", LAZY_CACHE, PROVEN, "hash", "str",
	    LAZY(a_str, "hash", 24, 8, ~0ull), STORE, .has_old = true, .old_value = ~0ull),
	ROW("hash that was there", LAZY_CACHE, LIKELY, "hash", "str",
	    LAZY(a_str, "hash", 24, 8, ~0ull), STORE, VALUES(0x99, 0x1234)),
	ROW("hash, half of it", LAZY_CACHE, LIKELY, "hash", "str",
	    LAZY(a_str, "hash", 24, 8, ~0ull), STORE32, VALUES(~0ull, 0x1234)),
	ROW("hash of bytes", LAZY_CACHE, PROVEN, "hash", "bytes", LAZY(bytes, "hash", 24, 8, ~0ull),
	    STORE, VALUES(~0ull, 0)),
	ROW("hash of a frozenset", LAZY_CACHE, PROVEN, "hash", "frozenset",
	    LAZY(a_frozenset, "hash", 48, 8, ~0ull), STORE, VALUES(~0ull, 5)),
	ROW("utf8", LAZY_CACHE, PROVEN, "utf8", "str", LAZY(a_str, "utf8", 48, 8, 0), STORE,
	    VALUES(0, 0x7f0000000900)),
	ROW("bytes that are copied", BUFFER, PROVEN, "", "str", LAZY(a_str, "utf8", 48, 8, 0),
	    INSN(INSN_VECTOR, 32)),
	ROW("version tag", LAZY_CACHE, PROVEN, "version tag", "type",
	    LAZY(a_type, "version tag", 384, 4, 0), STORE32, VALUES(0, 0x133)),
	ROW("version tag in the upper half", LAZY_CACHE, PROVEN, "keys version", "dict keys",
	    LAZY(the_keys, "keys version", 12, 4, 0), STORE32, VALUES(0x10606, 0xf4)),
	ROW("the type is changed", MUTATION, PROVEN, "version tag", "type",
	    LAZY(a_type, "version tag", 384, 4, 0), STORE32, VALUES(0x133, 0)),
	ROW("interned: bits", LAZY_CACHE, PROVEN, "interned", "str",
	    LAZY(a_str, "interned", 32, 4, PY_FIELD_NEVER_EMPTY), INSN(INSN_LOGIC, 1)),
	ROW("interned: value", LAZY_CACHE, PROVEN, "interned", "str",
	    LAZY(a_str, "interned", 32, 4, PY_FIELD_NEVER_EMPTY), STORE32, VALUES(0xe4, 0xe5)),
	ROW("interned as before", LAZY_CACHE, LIKELY, "interned", "str",
	    LAZY(a_str, "interned", 32, 4, PY_FIELD_NEVER_EMPTY), STORE32, VALUES(0xe4, 0xe4)),
	ROW("a static type", LAZY_CACHE, PROVEN, "version tag", "type",
	    LAZY_OF(a_type, "version tag", 384, 4, 0), STORE32, VALUES(0, 0x133),
	    .region = {.kind = REGION_DATA, .name = "python3.12"}),
	ROW("of an object that is made", ALLOCATOR, PROVEN, "reuse of a block", "str",
	    .object = {.type = &a_str,
		       .address = ADDR,
		       .dead = true,
		       .field = {.kind = PY_FIELD_LAZY}},
	    .addr = ADDR + 24, HEAP, STORE, VALUES(0, ~0ull)),
};

static void lazy_fields(void **state)
{
	(void)state;
	JUDGE(lazy_fields_rows);
}

static const struct row object_fields_rows[] = {
	/* the place and the bytecode; or the place and the value */
	ROW("STORE_ATTR", MUTATION, PROVEN, "field", "Klass", FIELD(a_klass, DATA, NULL, 16, 8),
	    STORE, OPCODE(STORES)),
	ROW("a call", MUTATION, PROVEN, "size", "dict", FIELD(a_dict, DATA, "size", 16, 8),
	    INSN(INSN_ADD, 8), OPCODE(CALLS)),
	ROW("an iterator", MUTATION, PROVEN, "field", "Klass", FIELD(a_klass, DATA, NULL, 16, 8),
	    INSN(INSN_ADD, 8), OPCODE(ITERATES)),
	ROW("a reference was there", MUTATION, PROVEN, "field", "Klass",
	    FIELD(a_klass, DATA, NULL, 16, 8), STORE, .old_refers = true),
	ROW("a reference is put there", MUTATION, PROVEN, "field", "Klass",
	    FIELD(a_klass, DATA, NULL, 16, 8), STORE, .new_refers = true),
	ROW("a function that changes it", MUTATION, PROVEN, "field", "dict",
	    FIELD(a_dict, DATA, NULL, 40, 8), STORE, .symbol = "PyDict_SetItem",
	    .symbol_is_function = true),
	ROW("the place alone", MUTATION, LIKELY, "field", "Klass",
	    FIELD(a_klass, DATA, NULL, 16, 8), STORE),
	ROW("bytecode that only loads", MUTATION, LIKELY, "field", "Klass",
	    FIELD(a_klass, DATA, NULL, 16, 8), STORE, OPCODE(OTHER)),
	ROW("nobody changes an int", ALLOCATOR, PROVEN, "reuse of a block", "int",
	    FIELD(an_int, DATA, NULL, 24, 4), STORE32),
	ROW("managed dict", MUTATION, PROVEN, "__dict__", "Klass",
	    FIELD(a_klass, MANAGED, "__dict__", -24, 8), STORE, OPCODE(STORES)),
	ROW("weak reference", MUTATION, LIKELY, "weak references", "Klass",
	    FIELD(a_klass, MANAGED, "weak references", -32, 8), STORE),
	ROW("its type", ALLOCATOR, PROVEN, "reuse of a block", "Klass",
	    FIELD(a_klass, TYPE, "ob_type", 8, 8), STORE, .new_is_type = true, .new_refers = true),
	ROW("its class is changed", MUTATION, PROVEN, "__class__", "Klass",
	    FIELD(a_klass, TYPE, "ob_type", 8, 8), STORE, .new_is_type = true, .new_refers = true,
	    .old_refers = true, OPCODE(STORES)),
	ROW("GC head", GC_HEADER, PROVEN, "track", "dict", FIELD(a_dict, GC, "_gc_next", -16, 8),
	    STORE),
	ROW("GC head, collecting", GC_HEADER, PROVEN, "collect", "dict",
	    FIELD(a_dict, GC, "_gc_prev", -8, 8), STORE, .gc_collecting = true),
	ROW("warmup", INLINE_CACHE, PROVEN, "warmup", "code", FIELD(a_code, CODE, "warmup", 52, 2),
	    INSN(INSN_ADD, 2)),
	ROW("warmup, 64 bit", INLINE_CACHE, LIKELY, "warmup", "code",
	    FIELD(a_code, CODE, "warmup", 52, 2), STORE),
	ROW("bytecode of another function", INLINE_CACHE, PROVEN, "bytecode", "code",
	    FIELD(a_code, CODE, "bytecode", 300, 0), INSN(INSN_STORE, 2)),
	ROW("zombie frame, up to 3.10", LAZY_CACHE, PROVEN, "zombie frame", "code",
	    LAZY(a_code, "zombie frame", 128, 8, PY_FIELD_NEVER_EMPTY), STORE,
	    VALUES(0x7f0000000800, 0)),
	ROW("data of bytes", BUFFER, PROVEN, "", "bytes", FIELD(bytes, DATA, NULL, 40, 0),
	    INSN(INSN_STORE, 1)),
	ROW("a copy over a head", BUFFER, LIKELY, "", NULL,
	    FIELD(a_dict, REFCOUNT, "ob_refcnt", 0, 8), INSN(INSN_VECTOR, 32)),
	ROW("a read is no mutation", UNKNOWN, NONE, "heap", NULL, FIELD(a_dict, DATA, NULL, 16, 8),
	    READ),
	ROW("a variable of a library is no field", NATIVE_DATA, PROVEN, "python3.12", NULL,
	    FIELD_OF(a_type, DATA, NULL, 400, 8), STORE,
	    .region = {.kind = REGION_DATA, .name = "python3.12"}),
	ROW("interpreter state", NATIVE_DATA, PROVEN, "interpreter state", NULL, HEAP, STORE,
	    PYTHON_CODE, .interpreter = true),
};

static void object_fields(void **state)
{
	(void)state;
	JUDGE(object_fields_rows);
}

#define KEYS(n, at, w)                                                                             \
	FIELD(the_keys, DATA, n, at, w),                                                           \
		.block = {.allocator = BLOCK_PYMALLOC, .content = CONTENT_KEYS, .start = ADDR}
static const struct row keys_and_items_rows[] = {
	ROW("an entry", MUTATION, PROVEN, "entries", "dict keys", KEYS(NULL, 104, 0), STORE,
	    .new_refers = true),
	ROW("its index", MUTATION, PROVEN, "entries", "dict keys", KEYS(NULL, 33, 0),
	    INSN(INSN_STORE, 1), OPCODE(STORES)),
	ROW("its index, who?", MUTATION, LIKELY, "entries", "dict keys", KEYS(NULL, 33, 0),
	    INSN(INSN_STORE, 1)),
	ROW("count of a shared table", REFCOUNT, PROVEN, "inc", "dict keys",
	    FIELD(the_keys, REFCOUNT, "ob_refcnt", 0, 8), INSN(INSN_ADD, 8), VALUES(7, 8)),
	/* an instance is made: one entry less for the class to use */
	ROW("shared keys", LAZY_CACHE, PROVEN, "shared keys", "dict keys",
	    FIELD(the_keys, DATA, "entries", 16, 8), STORE, VALUES(0x1e, 0x1d), OPCODE(CALLS),
	    .block = {.allocator = BLOCK_MALLOC, .content = CONTENT_KEYS, .shared_keys = true}),
	ROW("a new key of shared keys", MUTATION, PROVEN, "entries", "dict keys",
	    FIELD(the_keys, DATA, "entries", 16, 8), STORE, VALUES(0x1e, 0x1d), OPCODE(STORES),
	    .block = {.allocator = BLOCK_MALLOC, .content = CONTENT_KEYS, .shared_keys = true}),
	ROW("an item, in a known block", MUTATION, PROVEN, "items", NULL, HEAP, IN_USE(MALLOC),
	    STORE, .old_refers = true, PYTHON_CODE),
	ROW("an item, by its bytecode", MUTATION, PROVEN, "items", NULL, HEAP, STORE,
	    .new_refers = true, OPCODE(STORES), PYTHON_CODE),
	ROW("an item, by its value alone", MUTATION, LIKELY, "items", NULL, HEAP, STORE,
	    .new_refers = true, PYTHON_CODE),
	ROW("a function that changes something", MUTATION, LIKELY, "", NULL, HEAP, STORE,
	    .symbol = "PyDict_SetDefault", .symbol_is_function = true, .python = true),
};

static void keys_and_items(void **state)
{
	(void)state;
	JUDGE(keys_and_items_rows);
}

/* --- free-threaded builds --- */

#define OWNER_THREAD 0x7fb500000740
#define HEAD(k, at, w)                                                                             \
	.free_threaded = true, .thread_pointer = OWNER_THREAD, FIELD(a_dict, k, "ob_" #k, at, w)
static const struct row free_threaded_rows[] = {
	ROW("local, up", REFCOUNT, PROVEN, "inc", "dict", HEAD(REFCOUNT, 12, 4), STORE32,
	    VALUES(5ull << 32 | 0x01000000, 6)),
	ROW("local, down", REFCOUNT, PROVEN, "dec", "dict", HEAD(REFCOUNT, 12, 4), STORE32,
	    VALUES(5ull << 32, 4)),
	ROW("local, made", ALLOCATOR, PROVEN, "reuse of a block", "dict", HEAD(REFCOUNT, 12, 4),
	    STORE32, VALUES(0, 1)),
	ROW("local, anything", REFCOUNT, LIKELY, "", "dict", HEAD(REFCOUNT, 12, 4), STORE32,
	    VALUES(5ull << 32, 400)),
	ROW("shared, up", REFCOUNT, PROVEN, "inc", "dict", HEAD(SHARED, 16, 8),
	    .insn = {.kind = INSN_ADD, .width = 8, .lock = true}, VALUES(8, 12)),
	ROW("shared, down by cmpxchg", REFCOUNT, PROVEN, "dec", "dict", HEAD(SHARED, 16, 8),
	    .insn = {.kind = INSN_XCHG, .width = 8, .lock = true}, VALUES(9, 5)),
	ROW("shared, flags", REFCOUNT, LIKELY, "", "dict", HEAD(SHARED, 16, 8), INSN(INSN_XCHG, 8),
	    VALUES(8, 9)),
	ROW("bits, collecting", GC_HEADER, PROVEN, "collect", "dict", HEAD(GC, 11, 1),
	    INSN(INSN_STORE, 1), VALUES(0x01000000, 5), .gc_collecting = true),
	ROW("bits, tracked", GC_HEADER, PROVEN, "track", "dict", HEAD(GC, 11, 1),
	    INSN(INSN_STORE, 1), VALUES(0, 1)),
	ROW("bits, untracked", GC_HEADER, PROVEN, "untrack", "dict", HEAD(GC, 11, 1),
	    INSN(INSN_STORE, 1), VALUES(0x01000000, 0)),
	ROW("owner, collecting", GC_HEADER, PROVEN, "collect", "dict", HEAD(OWNER, 0, 8), STORE,
	    .gc_collecting = true),
	ROW("owner, made", ALLOCATOR, PROVEN, "reuse of a block", "dict", HEAD(OWNER, 0, 8), STORE,
	    VALUES(0, OWNER_THREAD)),
	ROW("owner, merged", REFCOUNT, PROVEN, "", "dict", HEAD(OWNER, 0, 8), STORE,
	    VALUES(OWNER_THREAD, 0)),
	ROW("lock", MUTATION, PROVEN, "lock", "dict", HEAD(MUTEX, 10, 1), INSN(INSN_XCHG, 1)),
};

static void free_threaded(void **state)
{
	(void)state;
	JUDGE(free_threaded_rows);
}

/* --- memory of C --- */

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
	ROW("no value", BUFFER, LIKELY, "", NULL, ANON, INSN(INSN_STORE, 1), PYTHON_CODE,
	    IN_USE(MALLOC)),
	ROW("library without objects", BUFFER, PROVEN, "libsqlite3.so.0.8.6", NULL, HEAP, STORE,
	    .python = true, .module = "libsqlite3.so.0.8.6"),
	ROW("extension, in a block", BUFFER, PROVEN, "_multiarray_umath.cpython-311.so", NULL, HEAP,
	    STORE, .python = true, .module = "_multiarray_umath.cpython-311.so", IN_USE(MALLOC)),
	ROW("library", BUFFER, LIKELY, "_multiarray_umath.cpython-311-x86_64-linux-gnu.so", NULL,
	    ANON, STORE, .python = true,
	    .module = "_multiarray_umath.cpython-311-x86_64-linux-gnu.so"),
	ROW("no Python", BUFFER, PROVEN, "", NULL, ANON, STORE, .module = "worker"),
	ROW("no Python, heap", BUFFER, PROVEN, "", NULL, HEAP, INSN(INSN_ADD, 4)),
	ROW("no Python, who?", UNKNOWN, NONE, "heap", NULL, HEAP),
	ROW("no Python, bulk", BUFFER, PROVEN, "", NULL, HEAP, INSN(INSN_VECTOR, 16)),
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
		cmocka_unit_test(lazy_fields),
		cmocka_unit_test(object_fields),
		cmocka_unit_test(keys_and_items),
		cmocka_unit_test(free_threaded),
		cmocka_unit_test(malloc_chunks),
		cmocka_unit_test(raw_memory),
		cmocka_unit_test(what_is_not_known),
		cmocka_unit_test(every_region_has_a_verdict),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
