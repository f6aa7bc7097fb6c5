/* SPDX-License-Identifier: MIT */
/* The fields of objects, for every version that there is a table of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "python/field.h"
#include "python/tables.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define ALL  0x0308, 0x030f

struct row {
	uint16_t first, last; /* versions */
	bool free_threaded;
	struct py_field_type type;
	int64_t offset;
	enum py_field_kind kind;
	const char *name; /* NULL: none */
};

#define GIL	      false
#define FREE_THREADED true
#define INT                                                                                        \
	{                                                                                          \
		.name = "int"                                                                      \
	}
#define STR                                                                                        \
	{                                                                                          \
		.name = "str"                                                                      \
	}
#define ASCII                                                                                      \
	{                                                                                          \
		.name = "str", .ascii = true                                                       \
	}
#define BYTES                                                                                      \
	{                                                                                          \
		.name = "bytes"                                                                    \
	}
#define FROZENSET                                                                                  \
	{                                                                                          \
		.name = "frozenset", .has_gc = true                                                \
	}
#define TUPLE                                                                                      \
	{                                                                                          \
		.name = "tuple", .has_gc = true                                                    \
	}
#define DICT                                                                                       \
	{                                                                                          \
		.name = "dict", .has_gc = true                                                     \
	}
#define LIST                                                                                       \
	{                                                                                          \
		.name = "list", .has_gc = true                                                     \
	}
#define KEYS                                                                                       \
	{                                                                                          \
		.name = PY_FIELD_KEYS                                                              \
	}
#define FUNCTION                                                                                   \
	{                                                                                          \
		.name = "function", .has_gc = true                                                 \
	}
#define CODE                                                                                       \
	{                                                                                          \
		.name = "code"                                                                     \
	}
#define TYPE                                                                                       \
	{                                                                                          \
		.name = "type", .is_type = true, .has_gc = true                                    \
	}
#define META                                                                                       \
	{                                                                                          \
		.name = "EnumType", .is_type = true, .has_gc = true                                \
	}
#define KLASS                                                                                      \
	{                                                                                          \
		.name = "Klass", .has_gc = true, .preheader = true                                 \
	}

/* Numbers as in the headers of each version, not from the tables under test. */
static const struct row rows[] = {
	{ALL, GIL, INT, 0, PY_FIELD_REFCOUNT, "ob_refcnt"},
	{ALL, GIL, INT, 7, PY_FIELD_REFCOUNT, "ob_refcnt"},
	{ALL, GIL, INT, 8, PY_FIELD_TYPE, "ob_type"},
	{ALL, GIL, INT, 15, PY_FIELD_TYPE, "ob_type"},
	{ALL, GIL, INT, 24, PY_FIELD_DATA, NULL},
	{ALL, GIL, INT, -1, PY_FIELD_NONE, NULL},
	{ALL, GIL, DICT, -1, PY_FIELD_GC, "_gc_prev"},
	{ALL, GIL, DICT, -8, PY_FIELD_GC, "_gc_prev"},
	{ALL, GIL, DICT, -9, PY_FIELD_GC, "_gc_next"},
	{ALL, GIL, DICT, -16, PY_FIELD_GC, "_gc_next"},
	{ALL, GIL, DICT, -17, PY_FIELD_NONE, NULL},
	{ALL, GIL, KLASS, -17, PY_FIELD_MANAGED, "__dict__"},
	{ALL, GIL, KLASS, -32, PY_FIELD_MANAGED, "weak references"},
	{ALL, GIL, KLASS, -33, PY_FIELD_NONE, NULL},
	/* str: hash at 24; utf8 behind wstr up to 3.11, where wstr was from 3.12 on */
	{ALL, GIL, STR, 16, PY_FIELD_DATA, NULL},
	{ALL, GIL, STR, 24, PY_FIELD_LAZY, "hash"},
	{ALL, GIL, STR, 31, PY_FIELD_LAZY, "hash"},
	{ALL, GIL, STR, 32, PY_FIELD_LAZY, "interned"},
	{0x0308, 0x030b, GIL, STR, 40, PY_FIELD_DATA, NULL},
	{0x0308, 0x030b, GIL, STR, 48, PY_FIELD_LAZY, "utf8"},
	{0x0308, 0x030b, GIL, STR, 63, PY_FIELD_LAZY, "utf8"},
	{0x0308, 0x030b, GIL, STR, 64, PY_FIELD_DATA, NULL},
	{0x030c, 0x030f, GIL, STR, 40, PY_FIELD_LAZY, "utf8"},
	{0x030c, 0x030f, GIL, STR, 55, PY_FIELD_LAZY, "utf8"},
	{0x030c, 0x030f, GIL, STR, 56, PY_FIELD_DATA, NULL},
	{0x030c, 0x030f, GIL, ASCII, 40, PY_FIELD_DATA, NULL},
	{ALL, GIL, ASCII, 24, PY_FIELD_LAZY, "hash"},
	{ALL, GIL, BYTES, 24, PY_FIELD_LAZY, "hash"},
	{ALL, GIL, BYTES, 32, PY_FIELD_DATA, NULL},
	{ALL, GIL, FROZENSET, 48, PY_FIELD_LAZY, "hash"},
	{ALL, GIL, {.name = "set", .has_gc = true}, 48, PY_FIELD_DATA, NULL},
	{0x0308, 0x030d, GIL, TUPLE, 24, PY_FIELD_DATA, NULL},
	{0x030e, 0x030f, GIL, TUPLE, 24, PY_FIELD_LAZY, "hash"},
	{ALL, GIL, DICT, 16, PY_FIELD_DATA, "size"},
	{ALL, GIL, DICT, 24, PY_FIELD_DATA, "version"},
	{ALL, GIL, DICT, 32, PY_FIELD_DATA, "keys"},
	{ALL, GIL, LIST, 24, PY_FIELD_DATA, "items"},
	/* types: whatever their metatype is called */
	{ALL, GIL, TYPE, 384, PY_FIELD_LAZY, "version tag"},
	{ALL, GIL, META, 387, PY_FIELD_LAZY, "version tag"},
	{ALL, GIL, META, 388, PY_FIELD_DATA, NULL},
	{ALL, GIL, TYPE, 168, PY_FIELD_LAZY, "flags"},
	{ALL, GIL, TYPE, 264, PY_FIELD_DATA, "__dict__"},
	{ALL, GIL, KLASS, 384, PY_FIELD_DATA, NULL},
	{0x030d, 0x030f, GIL, TYPE, 410, PY_FIELD_LAZY, "version tag"},
	/* keys tables: lookup up to 3.9, version from 3.11 on */
	{ALL, GIL, KEYS, 0, PY_FIELD_REFCOUNT, "ob_refcnt"},
	{0x0308, 0x0309, GIL, KEYS, 16, PY_FIELD_LAZY, "lookup"},
	{0x0308, 0x030a, GIL, KEYS, 24, PY_FIELD_DATA, "entries"},
	{0x030b, 0x030f, GIL, KEYS, 12, PY_FIELD_LAZY, "keys version"},
	{0x030b, 0x030f, GIL, KEYS, 16, PY_FIELD_DATA, "entries"},
	{0x030b, 0x030f, GIL, KEYS, 200, PY_FIELD_DATA, NULL},
	{0x030b, 0x030b, GIL, FUNCTION, 128, PY_FIELD_LAZY, "function version"},
	{0x030c, 0x030d, GIL, FUNCTION, 136, PY_FIELD_LAZY, "function version"},
	{0x030e, 0x030f, GIL, FUNCTION, 144, PY_FIELD_LAZY, "function version"},
	{0x0308, 0x0309, GIL, FUNCTION, 72, PY_FIELD_LAZY, "__dict__"},
	{0x030a, 0x030f, GIL, FUNCTION, 88, PY_FIELD_LAZY, "__dict__"},
	/* code: caches of its own up to 3.10, then the warmup counter, then only the bytecode */
	{0x0308, 0x030a, GIL, CODE, 128, PY_FIELD_LAZY, "zombie frame"},
	{0x0308, 0x030a, GIL, CODE, 168, PY_FIELD_LAZY, "opcache"},
	{0x0308, 0x030a, GIL, CODE, 152, PY_FIELD_LAZY, "opcache"},
	{0x030b, 0x030b, GIL, CODE, 52, PY_FIELD_CODE, "warmup"},
	{0x030b, 0x030b, GIL, CODE, 53, PY_FIELD_CODE, "warmup"},
	{0x030b, 0x030b, GIL, CODE, 54, PY_FIELD_DATA, NULL},
	{0x030c, 0x030f, GIL, CODE, 52, PY_FIELD_DATA, NULL},
	{0x030b, 0x030b, GIL, CODE, 184, PY_FIELD_CODE, "bytecode"},
	{0x030c, 0x030c, GIL, CODE, 192, PY_FIELD_CODE, "bytecode"},
	{0x030d, 0x030d, GIL, CODE, 200, PY_FIELD_CODE, "bytecode"},
	{0x030e, 0x030f, GIL, CODE, 208, PY_FIELD_CODE, "bytecode"},
	{0x030e, 0x030f, GIL, CODE, 900, PY_FIELD_CODE, "bytecode"},
	{0x030d, 0x030f, GIL, CODE, 152, PY_FIELD_CODE, "executors"},
	{0x030c, 0x030c, GIL, CODE, 152, PY_FIELD_LAZY, "bytecode"},
	/* free-threaded */
	{0x030d, 0x030f, FREE_THREADED, DICT, 0, PY_FIELD_OWNER, "ob_tid"},
	{0x030d, 0x030f, FREE_THREADED, DICT, 10, PY_FIELD_MUTEX, "ob_mutex"},
	{0x030d, 0x030f, FREE_THREADED, DICT, 11, PY_FIELD_GC, "ob_gc_bits"},
	{0x030d, 0x030f, FREE_THREADED, DICT, 12, PY_FIELD_REFCOUNT, "ob_ref_local"},
	{0x030d, 0x030f, FREE_THREADED, DICT, 15, PY_FIELD_REFCOUNT, "ob_ref_local"},
	{0x030d, 0x030f, FREE_THREADED, DICT, 16, PY_FIELD_SHARED, "ob_ref_shared"},
	{0x030d, 0x030f, FREE_THREADED, DICT, 24, PY_FIELD_TYPE, "ob_type"},
	{0x030d, 0x030f, FREE_THREADED, DICT, 32, PY_FIELD_DATA, "size"},
	{0x030d, 0x030f, FREE_THREADED, DICT, -1, PY_FIELD_NONE, NULL},
	{0x030d, 0x030f, FREE_THREADED, KLASS, -8, PY_FIELD_MANAGED, "__dict__"},
	{0x030d, 0x030f, FREE_THREADED, KLASS, -16, PY_FIELD_MANAGED, "weak references"},
	{0x030d, 0x030f, FREE_THREADED, STR, 40, PY_FIELD_LAZY, "hash"},
	{0x030d, 0x030f, FREE_THREADED, STR, 64, PY_FIELD_LAZY, "utf8"},
	{0x030d, 0x030f, FREE_THREADED, TYPE, 400, PY_FIELD_LAZY, "version tag"},
	{0x030d, 0x030d, FREE_THREADED, TUPLE, 40, PY_FIELD_DATA, NULL},
	{0x030e, 0x030f, FREE_THREADED, TUPLE, 40, PY_FIELD_LAZY, "hash"},
	{0x030d, 0x030f, FREE_THREADED, KEYS, 0, PY_FIELD_REFCOUNT, "ob_refcnt"},
	{0x030d, 0x030f, FREE_THREADED, KEYS, 12, PY_FIELD_LAZY, "keys version"},
	{0x030d, 0x030d, FREE_THREADED, CODE, 216, PY_FIELD_CODE, "bytecode"},
	{0x030e, 0x030f, FREE_THREADED, CODE, 232, PY_FIELD_CODE, "bytecode"},
};

static void check(const struct row *row, uint32_t version)
{
	const struct py_table *table = row->free_threaded ? py_table__find_free_threaded(version)
							  : py_table__find(version);
	struct py_field field;

	assert_non_null(table);
	field = py_field__at(&table->offsets, &row->type, row->offset);
	if (field.kind != row->kind || !field.name != !row->name ||
	    (row->name && strcmp(field.name, row->name) != 0))
		fail_msg("3.%u%s, %s at %ld: kind %u, '%s'", version & 0xff,
			 row->free_threaded ? "t" : "", row->type.name, (long)row->offset,
			 field.kind, field.name ? field.name : "-");
	if (field.width)
		assert_true(row->offset >= field.offset &&
			    row->offset < field.offset + field.width);
}

static void fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		for (uint32_t version = rows[i].first; version <= rows[i].last; version++)
			check(&rows[i], version);
}

/* What is there until a lazy field is filled in. */
static void empty_values(void **state)
{
	const struct py_offsets *off = &py_table__find(0x030e)->offsets;
	const struct py_field_type str = STR, type = TYPE, code = CODE;

	(void)state;
	assert_true(py_field__at(off, &str, 24).empty == UINT64_MAX);
	assert_true(py_field__at(off, &str, 48).empty == 0);
	assert_true(py_field__at(off, &type, 384).empty == 0);
	assert_true(py_field__at(off, &type, 168).empty == PY_FIELD_NEVER_EMPTY);
	assert_true(py_field__at(off, &code, 300).empty == PY_FIELD_NEVER_EMPTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(empty_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
