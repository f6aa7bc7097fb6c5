// SPDX-License-Identifier: MIT
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

#include "proc/mem.h"
#include "python/code.h"
#include "python_fake.h"

#define ADAPTIVE 192 /* co_code_adaptive, 3.12 */

struct fake_type fake_metatype;

/* A whole code object: def f() on line 7, 8 units, the second half one line on. */
struct world {
	struct fake_type str_type, bytes_type, code_type;
	struct fake_str file, name, qualname;
	struct fake_bytes table;
	struct fake_code code;
};

static struct fake_str text(const struct world *w, const char *s)
{
	struct fake_str str = {
		.type = &w->str_type, .length = strlen(s), .state = FAKE_STATE(1, 1, 1)};

	memcpy(str.data, s, strlen(s));
	return str;
}

static void build(struct world *w)
{
	fake_metatype = fake_type("type", FAKE_TYPE);
	w->str_type = fake_type("str", FAKE_STR);
	w->bytes_type = fake_type("bytes", FAKE_BYTES);
	w->code_type = fake_type("code", 0);
	w->code_type.basic_size = ADAPTIVE;
	w->code_type.item_size = 2;
	w->file = text(w, "app.py");
	w->name = text(w, "f");
	w->qualname = text(w, "K.f");
	w->table = (struct fake_bytes){
		.type = &w->bytes_type, .size = 4, .data = {0x83, 0, 0x80 | 13 << 3 | 3, 2}};
	w->code = (struct fake_code){.type = &w->code_type,
				     .units = 8,
				     .first_line = 7,
				     .file = &w->file,
				     .name = &w->name,
				     .qualname = &w->qualname,
				     .table = &w->table};
}

static int read_code(const struct world *w, const uint32_t *check, struct py_code **out)
{
	struct mem_source mem = mem__of(getpid());

	return py_code__read(&mem, fake_offsets(), (uintptr_t)&w->code, check, out);
}

static uint32_t digest(const struct world *w)
{
	return py_code__check((uint64_t[]){(uintptr_t)&w->file, (uintptr_t)&w->name,
					   (uintptr_t)&w->qualname, (uintptr_t)&w->table});
}

static void test_code(void **state)
{
	struct world w;
	struct py_code *code;
	uint32_t check;

	(void)state;
	build(&w);
	check = digest(&w);
	assert_int_equal(read_code(&w, &check, &code), 0);
	assert_string_equal(code->file, "app.py");
	assert_string_equal(code->function, "K.f");
	assert_int_equal(code->address, (uintptr_t)&w.code);
	assert_int_equal(code->bytecode, (uintptr_t)w.code.bytecode);
	assert_int_equal(code->bytecode_end, (uintptr_t)w.code.bytecode + 16);
	assert_int_equal(code->end, code->bytecode_end);
	assert_false(code->trampoline);
	assert_int_equal(code->line_table_len, 4);
	py_code__free(code);
	py_code__free(NULL);
}

static void test_line(void **state)
{
	struct world w;
	struct py_code *code;

	(void)state;
	build(&w);
	assert_int_equal(read_code(&w, NULL, &code), 0);
	assert_int_equal(py_code__line(code, fake_offsets(), ADAPTIVE - 2), 7);
	assert_int_equal(py_code__line(code, fake_offsets(), ADAPTIVE), 7);
	assert_int_equal(py_code__line(code, fake_offsets(), ADAPTIVE + 6), 7);
	assert_int_equal(py_code__line(code, fake_offsets(), ADAPTIVE + 8), 8);
	assert_int_equal(py_code__line(code, fake_offsets(), ADAPTIVE + 15), 8);
	assert_int_equal(py_code__line(code, fake_offsets(), ADAPTIVE + 16), 0);
	assert_int_equal(py_code__line(code, fake_offsets(), UINT32_MAX), 0);
	py_code__free(code);
}

static void test_rejected(void **state)
{
	struct world w;
	struct py_code *code = (void *)&w;
	uint32_t check;

	(void)state;
#define REJECTED(error, change)                                                                    \
	build(&w);                                                                                 \
	change;                                                                                    \
	assert_int_equal(read_code(&w, NULL, &code), error);                                       \
	assert_ptr_equal(code, &w)
	REJECTED(-EINVAL, w.code.type = &w.str_type);
	REJECTED(-EINVAL, w.code_type.name = "cell");
	REJECTED(-EINVAL, w.code_type.basic_size = 184);
	REJECTED(-EINVAL, w.code_type.item_size = 1);
	REJECTED(-EINVAL, w.code.units = 0);
	REJECTED(-EINVAL, w.code.units = 1 << 26);
	REJECTED(-EINVAL, w.code.units = -1);
	REJECTED(-EINVAL, w.code.file = NULL);
	REJECTED(-EINVAL, w.code.file = &w.table);
	REJECTED(-EFAULT, w.code.qualname = (void *)0x7000);
	REJECTED(-EINVAL, w.code.table = NULL);
	REJECTED(-EINVAL, w.code.table = &w.name);
	REJECTED(-EFAULT, w.table.type = (void *)0x7000);
	/* The address now holds another code object than the one that was seen. */
	build(&w);
	check = digest(&w);
	w.code.qualname = &w.name;
	assert_int_equal(read_code(&w, &check, &code), -ESTALE);
	assert_ptr_equal(code, &w);
}

/* Names without lines are still worth having. */
static void test_no_table(void **state)
{
	struct world w;
	struct py_code *code;

	(void)state;
	build(&w);
	w.table.size = PY_LINE_TABLE_MAX + 1;
	assert_int_equal(read_code(&w, NULL, &code), 0);
	assert_null(code->line_table);
	assert_int_equal(py_code__line(code, fake_offsets(), ADAPTIVE), 0);
	py_code__free(code);
	w.table.size = 0;
	w.code.first_line = -1;
	w.code.first_traceable = 8;
	assert_int_equal(read_code(&w, NULL, &code), 0);
	assert_int_equal(py_code__line(code, fake_offsets(), ADAPTIVE), 0);
	assert_int_equal(py_code__line(code, fake_offsets(), ADAPTIVE - 2), 0);
	assert_true(code->trampoline);
	py_code__free(code);
}

/* Any single pointer that differs, by as little as one allocation unit, shows. */
static void test_digest(void **state)
{
	uint64_t names[4] = {0x7f0000001000, 0x7f0000002000, 0x7f0000003000, 0x7f0000004000};
	uint32_t check = py_code__check(names);

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		for (uint64_t delta = 16; delta < 1ull << 47; delta <<= 1) {
			names[i] ^= delta;
			assert_int_not_equal(py_code__check(names), check);
			names[i] ^= delta;
		}
	}
	assert_int_equal(py_code__check(names), check);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code),	 cmocka_unit_test(test_line),
		cmocka_unit_test(test_rejected), cmocka_unit_test(test_no_table),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
