/* SPDX-License-Identifier: MIT */
/* The table of the kernel's symbols, from files that look like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/kallsyms.h"

static struct kallsyms *read_text(const char *text)
{
	char path[] = "/tmp/kallsyms-XXXXXX";
	int fd = mkstemp(path);
	struct kallsyms *symbols;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	assert_int_equal(kallsyms__read_file(path, &symbols), 0);
	unlink(path);
	return symbols;
}

static const char table[] = "ffffffff81000000 T do_wp_page_not\n"
			    "ffffffff81000010 t not_do_wp_page\n"
			    "ffffffff81000100 t do_wp_page\n"
			    "ffffffff81000100 t alias_of_it\n"
			    "ffffffff81000940 T next_one\n"
			    "ffffffff82000940 T far_away\n"
			    "ffffffffc0000000 t of_a_module\t[kvm]\n"
			    "ffffffffc0000020 t last";

static void a_range_ends_with_the_next_symbol(void **state)
{
	struct kallsyms *symbols = read_text(table);
	uint64_t start, end;

	(void)state;
	assert_int_equal(kallsyms__range(symbols, "do_wp_page", &start, &end), 0);
	assert_int_equal(start, 0xffffffff81000100);
	assert_int_equal(end, 0xffffffff81000940);
	assert_int_equal(kallsyms__range(symbols, "of_a_module", &start, &end), 0);
	assert_int_equal(end - start, 0x20);
	kallsyms__free(symbols);
}

static void a_large_gap_is_not_believed(void **state)
{
	struct kallsyms *symbols = read_text(table);
	uint64_t start, end;

	(void)state;
	assert_int_equal(kallsyms__range(symbols, "next_one", &start, &end), 0);
	assert_int_equal(end - start, 32768);
	kallsyms__free(symbols);
}

static void what_is_not_there(void **state)
{
	struct kallsyms *symbols = read_text(table);
	uint64_t start, end;

	(void)state;
	assert_int_equal(kallsyms__range(symbols, "wp_page", &start, &end), -ENOENT);
	assert_int_equal(kallsyms__range(symbols, "do_wp", &start, &end), -ENOENT);
	assert_false(kallsyms__has(symbols, "do_wp"));
	assert_true(kallsyms__has(symbols, "do_wp_page_not"));
	/* It has no end. */
	assert_true(kallsyms__has(symbols, "last"));
	assert_int_equal(kallsyms__range(symbols, "last", &start, &end), -ENOENT);
	kallsyms__free(symbols);
}

static void hidden_addresses(void **state)
{
	struct kallsyms *symbols = read_text("0000000000000000 T do_wp_page\n"
					     "0000000000000000 T next\n");
	uint64_t start, end;

	(void)state;
	assert_true(kallsyms__has(symbols, "do_wp_page"));
	assert_int_equal(kallsyms__range(symbols, "do_wp_page", &start, &end), -ENOENT);
	kallsyms__free(symbols);
}

static void nothing(void **state)
{
	struct kallsyms *symbols = read_text("");

	(void)state;
	assert_false(kallsyms__has(symbols, "do_wp_page"));
	kallsyms__free(symbols);
	assert_int_equal(kallsyms__read_file("/no/such/file", &symbols), -ENOENT);
}

static void that_of_this_kernel(void **state)
{
	struct kallsyms *symbols;

	(void)state;
	assert_int_equal(kallsyms__read(&symbols), 0);
	assert_true(kallsyms__has(symbols, "handle_mm_fault"));
	kallsyms__free(symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_ends_with_the_next_symbol),
		cmocka_unit_test(a_large_gap_is_not_believed),
		cmocka_unit_test(what_is_not_there),
		cmocka_unit_test(hidden_addresses),
		cmocka_unit_test(nothing),
		cmocka_unit_test(that_of_this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
