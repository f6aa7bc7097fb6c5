/* SPDX-License-Identifier: MIT */
/* Types of a kernel: one that is made up, damaged in every byte, and the one that runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "capture/symbols.h"
#include "capture/types.h"

#define KIND(kind, n) ((uint32_t)(kind) << 24 | (n))

/* int x; struct s { int m; }; void f(int a); */
static const struct {
	struct btf_header head;
	struct btf_type integer;
	uint32_t bits;
	struct btf_type composite;
	struct btf_member member;
	struct btf_type proto;
	struct btf_param param;
	struct btf_type func;
	char strings[16];
} made_up = {
	.head = {.magic = 0xeb9f,
		 .version = 1,
		 .hdr_len = sizeof(struct btf_header),
		 .type_len = 4 * sizeof(struct btf_type) + 4 + sizeof(struct btf_member) +
			     sizeof(struct btf_param),
		 .str_off = 4 * sizeof(struct btf_type) + 4 + sizeof(struct btf_member) +
			    sizeof(struct btf_param),
		 .str_len = 16},
	.integer = {.name_off = 1, .info = KIND(BTF_KIND_INT, 0), .size = 4},
	.bits = 32,
	.composite = {.name_off = 5, .info = KIND(BTF_KIND_STRUCT, 1), .size = 4},
	.member = {.name_off = 7, .type = 1},
	.proto = {.info = KIND(BTF_KIND_FUNC_PROTO, 1)},
	.param = {.name_off = 9, .type = 1},
	.func = {.name_off = 5, .info = KIND(BTF_KIND_FUNC, 0), .type = 3},
	.strings = "\0int\0s\0m\0a",
};

static int read_bytes(const void *data, size_t size, struct types **out)
{
	char path[] = "/tmp/types-XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
	err = types__read(path, out);
	unlink(path);
	return err;
}

static void they_are_found(void **state)
{
	struct types *types;

	(void)state;
	assert_int_equal(read_bytes(&made_up, sizeof(made_up), &types), 0);
	assert_int_equal(types__find(types, "int", 0), 1);
	assert_int_equal(types__find(types, "s", BTF_KIND_STRUCT), 2);
	assert_int_equal(types__find(types, "s", BTF_KIND_FUNC), 4); /* has the same name */
	assert_int_equal(types__find(types, "s", BTF_KIND_UNION), 0);
	assert_int_equal(types__find(types, "in", 0), 0);
	assert_int_equal(types__at(types, 4)->type, 3);
	assert_null(types__at(types, 0));
	assert_null(types__at(types, 5));
	assert_string_equal(types__name(types, 7), "m");
	assert_string_equal(types__name(types, 16), "");
	types__free(types);
	types__free(NULL);
}

static void damage_is_no_crash(void **state)
{
	uint8_t bytes[sizeof(made_up)];
	struct types *types;

	(void)state;
	for (size_t i = 0; i < 8 * sizeof(bytes); i++) {
		memcpy(bytes, &made_up, sizeof(bytes));
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		if (read_bytes(bytes, sizeof(bytes), &types))
			continue;
		types__find(types, "nothing", 0);
		types__free(types);
	}
	for (size_t size = 0; size < sizeof(bytes) - sizeof(made_up.strings); size++)
		assert_int_not_equal(read_bytes(&made_up, size, &types), 0);
	assert_int_equal(types__read("/no/such/file", &types), -ENOENT);
}

static void the_kernel_that_runs(void **state)
{
	struct types *types;

	(void)state;
	assert_int_equal(types__read(TYPES_VMLINUX, &types), 0);
	assert_true(types__find(types, "task_struct", BTF_KIND_STRUCT) > 0);
	assert_true(types__find(types, "handle_mm_fault", BTF_KIND_FUNC) > 0);
	types__free(types);
}

static uint64_t size_of(const char *text)
{
	return symbols__size(text, strlen(text) + 1);
}

static void sizes_of_symbols(void **state)
{
	(void)state;
	assert_int_equal(size_of("do_wp_page+0x0/0x6c0"), 0x6c0);
	assert_int_equal(size_of("f+0x0/0xAB"), 0);
	assert_int_equal(size_of("f+0x0/0xab [module]"), 0xab);
	assert_int_equal(size_of("f+0x0/0x"), 0);
	assert_int_equal(size_of("f+0x0"), 0);
	assert_int_equal(size_of("0xffffffff81000000"), 0);
	assert_int_equal(size_of(""), 0);
	assert_int_equal(symbols__size("f+0x0/0x12", 10), 0); /* cut: who knows what followed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_found),
		cmocka_unit_test(damage_is_no_crash),
		cmocka_unit_test(the_kernel_that_runs),
		cmocka_unit_test(sizes_of_symbols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
