/* SPDX-License-Identifier: MIT */
/* Facts and the verdict that is expected of them, for the tests of causes. */
#ifndef COWTRACE_TESTS_CAUSE_ROWS_H
#define COWTRACE_TESTS_CAUSE_ROWS_H

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

__attribute__((unused)) static const struct type_fact an_int = {.name = "int"};
__attribute__((unused)) static const struct type_fact a_dict = {.name = "dict", .has_gc = true};
__attribute__((unused)) static const struct type_fact a_str = {.name = "str"};
__attribute__((unused)) static const struct type_fact bytes = {.name = "bytes"};
__attribute__((unused)) static const struct type_fact a_frozenset = {.name = "frozenset",
								     .has_gc = true};
__attribute__((unused)) static const struct type_fact a_type = {
	.name = "type", .has_gc = true, .is_type = true};
__attribute__((unused)) static const struct type_fact a_code = {.name = "code", .is_code = true};
__attribute__((unused)) static const struct type_fact the_keys = {.name = PY_FIELD_KEYS};
__attribute__((unused)) static const struct type_fact a_klass = {
	.name = "Klass", .has_gc = true, .preheader = true};

static inline void judge(const struct row *rows, size_t n)
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

/* _gc_prev of a dict. */
#define PREV .addr = ADDR, .type_at = {[OBJECT_AT_GC_PREV] = &a_dict}, HEAP

#define ROW(name_, cause_, certainty_, detail_, type_, ...)                                        \
	{                                                                                          \
		.name = (name_), .cause = CAUSE_##cause_, .certainty = (certainty_),               \
		.detail = (detail_), .type = (type_), .facts = {                                   \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define JUDGE(rows) judge(rows, N(rows))

#define IN_USE(allocator_)                                                                         \
	.block = {.allocator = BLOCK_##allocator_,                                                 \
		  .start = ADDR,                                                                   \
		  .size = 512,                                                                     \
		  .content = CONTENT_OTHER}

#endif
