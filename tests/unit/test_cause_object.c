/* SPDX-License-Identifier: MIT */
/* Causes of writes to the fields of objects, and to what belongs to objects. */
#include "cause_rows.h"

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
	ROW("hash, read in an ancestor that has something else there", LAZY_CACHE, LIKELY, "hash",
	    "str", LAZY(a_str, "hash", 24, 8, ~0ull), STORE, VALUES(~0ull, 0x1234),
	    .doubtful = true),
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
	    .addr = ADDR + 24, HEAP, STORE, VALUES(0, ~0ull), .has_window = true),
	/* an ancestor may have freed it since, which this process has not */
	ROW("dead elsewhere", ALLOCATOR, LIKELY, "reuse of a block", "str",
	    .object = {.type = &a_str,
		       .address = ADDR,
		       .dead = true,
		       .field = {.kind = PY_FIELD_LAZY}},
	    .addr = ADDR + 32, HEAP, STORE, VALUES(0, ~0ull), .has_window = true),
};

#define SET(used, mask, table, disp_)                                                              \
	.addr = ADDR, HEAP, PYTHON_CODE, .has_window = true,                                       \
	.window = {(used), (mask), (table), ~0ull},                                                \
	.insn = {.kind = INSN_STORE, .width = 8, .has_base = true, .disp = (disp_)},               \
	VALUES(~0ull, 0x5221f264c3f8a5d0)
static const struct row frozensets_rows[] = {
	ROW("small", LAZY_CACHE, PROVEN, "hash", "frozenset", SET(2, 7, ADDR + 16, 48)),
	ROW("large", LAZY_CACHE, PROVEN, "hash", "frozenset", SET(20, 31, 0x7f0000004000, 48)),
	ROW("no mask", UNKNOWN, NONE, "heap", NULL, SET(2, 8, ADDR + 16, 48)),
	ROW("fuller than its table", UNKNOWN, NONE, "heap", NULL, SET(9, 7, ADDR + 16, 48)),
	ROW("another table", UNKNOWN, NONE, "heap", NULL, SET(2, 7, ADDR + 24, 48)),
	ROW("another field", UNKNOWN, NONE, "heap", NULL, SET(2, 7, ADDR + 16, 40)),
};

static void frozensets(void **state)
{
	(void)state;
	JUDGE(frozensets_rows);
}

static void lazy_fields(void **state)
{
	(void)state;
	JUDGE(lazy_fields_rows);
}

#define MEMBER(kind_, disp_)                                                                       \
	.insn = {.kind = (kind_), .width = 8, .has_base = true, .disp = (disp_)}
static const struct row object_fields_rows[] = {
	/* the place and the bytecode; or the place and the value */
	ROW("STORE_ATTR", MUTATION, PROVEN, "field", "Klass", FIELD(a_klass, DATA, NULL, 16, 8),
	    STORE, OPCODE(STORES)),
	ROW("a call", MUTATION, PROVEN, "size", "dict", FIELD(a_dict, DATA, "size", 16, 8),
	    MEMBER(INSN_ADD, 16), OPCODE(CALLS)),
	ROW("a call may do anything", MUTATION, LIKELY, "size", "dict",
	    FIELD(a_dict, DATA, "size", 16, 8), MEMBER(INSN_ADD, 8), OPCODE(CALLS)),
	ROW("hash of a datetime", LAZY_CACHE, LIKELY, "hash", "Klass",
	    FIELD(a_klass, DATA, NULL, 16, 8), MEMBER(INSN_STORE, 16), VALUES(~0ull, 0x1234),
	    OPCODE(CALLS)),
	ROW("an attribute that was -1", MUTATION, PROVEN, "field", "Klass",
	    FIELD(a_klass, DATA, NULL, 16, 8), STORE, VALUES(~0ull, 0x1234), OPCODE(STORES)),
	ROW("watched", LAZY_CACHE, PROVEN, "dict watcher", "dict",
	    FIELD(a_dict, DATA, "version", 24, 8), INSN(INSN_LOGIC, 8), .python_version = 0x030c),
	ROW("watched, by a store", LAZY_CACHE, PROVEN, "dict watcher", "dict",
	    FIELD(a_dict, DATA, "version", 24, 8), STORE, VALUES(0x300, 0x301),
	    .python_version = 0x030d),
	ROW("a new version", MUTATION, LIKELY, "version", "dict",
	    FIELD(a_dict, DATA, "version", 24, 8), STORE, VALUES(0x300, 0x400),
	    .python_version = 0x030c),
	ROW("no watchers up to 3.11", MUTATION, LIKELY, "version", "dict",
	    FIELD(a_dict, DATA, "version", 24, 8), STORE, VALUES(0x300, 0x301),
	    .python_version = 0x030b),
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
	ROW("GC head", GC_HEADER, PROVEN, "link", "dict", FIELD(a_dict, GC, "_gc_next", -16, 8),
	    STORE),
	ROW("GC head, neighbour", GC_HEADER, PROVEN, "untrack", "dict",
	    FIELD(a_dict, GC, "_gc_prev", -8, 8), STORE, VALUES(0x7f0000000300, 0x7f0000000500)),
	ROW("GC head, last", GC_HEADER, PROVEN, "track", "dict",
	    FIELD(a_dict, GC, "_gc_next", -16, 8), STORE, VALUES(0x7f0000000300, 0x7f0000000500),
	    .old_link = GC_LINK_LIST),
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
	ROW("its index, by what was there", MUTATION, PROVEN, "entries", "dict keys",
	    KEYS(NULL, 33, 0), INSN(INSN_STORE, 1), VALUES(0xff00, 7), OPCODE(CALLS)),
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
	ROW("an item for another one", MUTATION, PROVEN, "items", NULL, HEAP, STORE,
	    VALUES(0x7f0000000500, 0x7f0000000700), .old_refers = true, .new_refers = true,
	    OPCODE(CALLS), PYTHON_CODE),
	ROW("an item of many", MUTATION, PROVEN, "items", NULL, HEAP, STORE, .has_window = true,
	    .window = {0, 0x7f0000000310, 0x7f0000000320, 0x7f0000000330, 0x7f0000000340,
		       0x7f0000000350},
	    VALUES(0x7f0000000330, 0x7f0000000700), .new_refers = true, OPCODE(CALLS), PYTHON_CODE),
	ROW("an item among other things", MUTATION, LIKELY, "items", NULL, HEAP, STORE,
	    .has_window = true,
	    .window = {0, 0x7f0000000310, 0x7f0000000320, 0x7f0000000330, 17, 0x7f0000000350},
	    VALUES(0x7f0000000330, 0x7f0000000700), .new_refers = true, OPCODE(CALLS), PYTHON_CODE),
	ROW("an item is taken away", MUTATION, LIKELY, "items", NULL, HEAP, STORE,
	    VALUES(0x7f0000000500, 0), .old_refers = true, OPCODE(CALLS), PYTHON_CODE),
	ROW("a number where an item was", BUFFER, LIKELY, "", NULL, HEAP, STORE,
	    VALUES(0x7f0000000500, 0xffe), .old_refers = true, PYTHON_CODE, IN_USE(MALLOC)),
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lazy_fields),	 cmocka_unit_test(frozensets),
		cmocka_unit_test(object_fields), cmocka_unit_test(keys_and_items),
		cmocka_unit_test(free_threaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
