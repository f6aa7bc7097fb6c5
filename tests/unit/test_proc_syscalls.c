/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "proc/syscalls.h"

static void known_numbers_have_names(void **state)
{
	(void)state;
	assert_string_equal(syscall__name(SYS_read), "read");
	assert_string_equal(syscall__name(SYS_write), "write");
	assert_string_equal(syscall__name(SYS_recvfrom), "recvfrom");
	assert_string_equal(syscall__name(SYS_pread64), "pread64");
	assert_string_equal(syscall__name(SYS_io_uring_enter), "io_uring_enter");
}

static void unknown_numbers_have_none(void **state)
{
	(void)state;
	assert_null(syscall__name(-1));
	assert_null(syscall__name(LONG_MIN));
	assert_null(syscall__name(LONG_MAX));
	assert_null(syscall__name(5000));
	assert_null(syscall__name(400)); /* a gap in the table */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_numbers_have_names),
		cmocka_unit_test(unknown_numbers_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
