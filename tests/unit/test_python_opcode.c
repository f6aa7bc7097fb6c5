/* SPDX-License-Identifier: MIT */
/* The numbers of bytecode instructions, compared with each interpreter of this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "python/opcode.h"
#include "python_process.h"

struct row {
	const char *kind, *name;
};

static const struct row rows[] = {
#define OPCODE(kind_, name_, ...) {#kind_, #name_},
#include "python/opcodes.def"
};

static const char *kind_name(enum py_opcode_kind kind)
{
	static const char *const names[] = {
		[PY_OPCODE_UNKNOWN] = "UNKNOWN",   [PY_OPCODE_OTHER] = "OTHER",
		[PY_OPCODE_STORES] = "STORES",	   [PY_OPCODE_CALLS] = "CALLS",
		[PY_OPCODE_ITERATES] = "ITERATES",
	};

	return kind < PY_OPCODE_BINARY ? names[kind] : "?";
}

/* As the list says; BINARY is decided by the argument, OTHER is not in the list. */
static const char *expected(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return strcmp(rows[i].kind, "BINARY") ? rows[i].kind : "OTHER";
	return "OTHER";
}

static unsigned int compare(const char *python, unsigned int minor)
{
	struct python_process p;
	unsigned int number, n = 0;
	char name[80];

	assert_true(python_process__start(&p, python, __FILE__, "python_opcodes.py"));
	while (fscanf(p.out, "%u %79s", &number, name) == 2) {
		const char *kind = kind_name(py_opcode__kind(0x0300 | minor, number, 0));

		if (strcmp(kind, expected(name)))
			fail_msg("%s: %s (%u) is %s, not %s", python, name, number, expected(name),
				 kind);
		n++;
	}
	assert_int_equal(python_process__end(&p), 0);
	return n;
}

static void every_interpreter(void **state)
{
	unsigned int compared = 0;

	(void)state;
	for (unsigned int minor = 8; minor <= 15; minor++) {
		struct pythons all = pythons__find(minor);

		if (!all.n)
			print_message("skipped: no CPython 3.%u on this machine\n", minor);
		for (unsigned int i = 0; i < all.n; i++) {
			assert_true(compare(all.paths[i], minor) > 100);
			compared++;
		}
		pythons__free(&all);
	}
	assert_true(compared > 0);
}

/* BINARY_OP, 3.12: 122; in place from argument 13 (+=) to 25 (^=). */
static void arithmetic_in_place(void **state)
{
	(void)state;
	assert_int_equal(py_opcode__kind(0x030c, 122, 0), PY_OPCODE_OTHER);
	assert_int_equal(py_opcode__kind(0x030c, 122, 12), PY_OPCODE_OTHER);
	assert_int_equal(py_opcode__kind(0x030c, 122, 13), PY_OPCODE_STORES);
	assert_int_equal(py_opcode__kind(0x030c, 122, 25), PY_OPCODE_STORES);
	assert_int_equal(py_opcode__kind(0x030c, 122, 26), PY_OPCODE_OTHER);
	assert_int_equal(py_opcode__kind(0x0309, 55, 0), PY_OPCODE_STORES); /* INPLACE_ADD */
}

static void no_such_version_or_number(void **state)
{
	(void)state;
	assert_int_equal(py_opcode__kind(0x0307, 60, 0), PY_OPCODE_UNKNOWN);
	assert_int_equal(py_opcode__kind(0x0310, 60, 0), PY_OPCODE_UNKNOWN);
	assert_int_equal(py_opcode__kind(0, 60, 0), PY_OPCODE_UNKNOWN);
	for (uint32_t version = 0x0308; version <= 0x030f; version++)
		assert_int_equal(py_opcode__kind(version, 0, 13), PY_OPCODE_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_interpreter),
		cmocka_unit_test(arithmetic_in_place),
		cmocka_unit_test(no_such_version_or_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
