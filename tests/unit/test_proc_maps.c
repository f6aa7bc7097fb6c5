/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proc/maps.h"

static struct maps *parse(const char *text)
{
	struct maps *maps;

	assert_int_equal(maps__parse(text, strlen(text), &maps), 0);
	return maps;
}

static void every_field_is_read(void **state)
{
	struct maps *maps = parse("55d0c0000000-55d0c0021000 r-xp 00002a00 fe:101 1835027"
				  "                    /usr/bin/python3.11\n"
				  "55d0c1000000-55d0c2000000 rw-s 00000000 00:00 0 \n"
				  "7ffd00000000-7ffd00021000 ---p 00000000 00:00 0"
				  "                          [stack]\n");
	const struct map_entry *e = maps__at(maps, 0);

	(void)state;
	assert_int_equal(maps__count(maps), 3);
	assert_int_equal(e->start, 0x55d0c0000000);
	assert_int_equal(e->end, 0x55d0c0021000);
	assert_int_equal(e->offset, 0x2a00);
	assert_int_equal(e->dev_major, 0xfe);
	assert_int_equal(e->dev_minor, 0x101);
	assert_int_equal(e->inode, 1835027);
	assert_int_equal(e->perm, MAP_PERM_READ | MAP_PERM_EXEC);
	assert_string_equal(e->name, "/usr/bin/python3.11");
	e = maps__at(maps, 1);
	assert_int_equal(e->perm, MAP_PERM_READ | MAP_PERM_WRITE | MAP_PERM_SHARED);
	assert_string_equal(e->name, "");
	e = maps__at(maps, 2);
	assert_int_equal(e->perm, 0);
	assert_string_equal(e->name, "[stack]");
	assert_null(maps__at(maps, 3));
	maps__unref(maps);
}

static void find_takes_the_end_as_outside(void **state)
{
	struct maps *maps = parse("1000-2000 r--p 0 00:00 0 \n"
				  "2000-3000 rw-p 0 00:00 0 \n"
				  "5000-6000 rw-p 0 00:00 0 \n"
				  "ffffffffff600000-ffffffffff601000 --xp 0 00:00 0 [vsyscall]\n");

	(void)state;
	assert_null(maps__find(maps, 0xfff));
	assert_ptr_equal(maps__find(maps, 0x1000), maps__at(maps, 0));
	assert_ptr_equal(maps__find(maps, 0x1fff), maps__at(maps, 0));
	assert_ptr_equal(maps__find(maps, 0x2000), maps__at(maps, 1));
	assert_null(maps__find(maps, 0x3000));
	assert_null(maps__find(maps, 0x4fff));
	assert_ptr_equal(maps__find(maps, 0x5fff), maps__at(maps, 2));
	assert_null(maps__find(maps, 0x6000));
	assert_ptr_equal(maps__find(maps, 0xffffffffff600fff), maps__at(maps, 3));
	assert_null(maps__find(maps, UINT64_MAX));
	maps__unref(maps);
}

static void nasty_names_are_kept(void **state)
{
	static const char *const names[] = {
		"/tmp/with space  twice",
		"/tmp/new\\012line",
		"/tmp/gone.so (deleted)",
		"/tmp/\xff\xfe",
		"/tmp/1000-2000 rw-p",
		"/memfd:x (deleted)",
		"[anon:a b]",
		"/tmp/trailing ",
	};
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct maps *maps;

		strcpy(line, "1000-2000 rw-p 00000000 08:01 5     ");
		strcat(line, names[i]);
		strcat(line, "\n");
		maps = parse(line);
		assert_int_equal(maps__count(maps), 1);
		assert_string_equal(maps__at(maps, 0)->name, names[i]);
		maps__unref(maps);
	}
}

static void malformed_lines_are_skipped(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 rw",
		"1000-2000 rw-p",
		"1000-2000 rw-p 0",
		"1000-2000 rw-p 0 00:00",
		"1000-2000 rw-p 0 00:00 x",
		"1000-2000 rw-p 0 0000 5",
		"1000 2000 rw-p 0 00:00 0",
		"-2000 rw-p 0 00:00 0",
		"2000-1000 rw-p 0 00:00 0",
		"1000-1000 rw-p 0 00:00 0",
		"10000000000000000-20000000000000000 rw-p 0 00:00 0",
		"1000-2000 rw-p 0 100000000:00 0",
		"1000-2000 rw-p 0 00:00 18446744073709551616",
		"1000-2000 rw-p 0 00:00 a",
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct maps *maps;

		strcpy(text, bad[i]);
		strcat(text, "\n8000-9000 r--p 0 00:00 18446744073709551615 good");
		maps = parse(text);
		assert_int_equal(maps__count(maps), 1);
		assert_int_equal(maps__at(maps, 0)->inode, UINT64_MAX);
		assert_string_equal(maps__at(maps, 0)->name, "good");
		maps__unref(maps);
	}
}

static void order_is_kept_by_dropping(void **state)
{
	struct maps *maps = parse("5000-7000 r--p 0 00:00 0 a\n"
				  "1000-2000 r--p 0 00:00 0 backwards\n"
				  "6000-8000 r--p 0 00:00 0 overlap\n"
				  "7000-8000 r--p 0 00:00 0 b\n");

	(void)state;
	assert_int_equal(maps__count(maps), 2);
	assert_string_equal(maps__at(maps, 0)->name, "a");
	assert_string_equal(maps__at(maps, 1)->name, "b");
	maps__unref(maps);
}

static void no_text_is_no_mapping(void **state)
{
	struct maps *maps;

	(void)state;
	assert_int_equal(maps__parse(NULL, 0, &maps), 0);
	assert_int_equal(maps__count(maps), 0);
	assert_null(maps__find(maps, 0));
	assert_null(maps__at(maps, 0));
	maps__unref(maps);
}

static void references_keep_it_alive(void **state)
{
	struct maps *maps = parse("1000-2000 r--p 0 00:00 0 x\n");

	(void)state;
	assert_ptr_equal(maps__ref(maps), maps);
	maps__unref(maps);
	assert_string_equal(maps__at(maps, 0)->name, "x"); /* ASan: still there */
	maps__unref(maps);
	maps__unref(NULL);
	assert_null(maps__ref(NULL));
}

static void own_maps_hold_own_addresses(void **state)
{
	static int data = 5;
	const struct map_entry *e;
	struct maps *maps;
	int local = 0;

	(void)state;
	assert_int_equal(maps__read(getpid(), &maps), 0);
	e = maps__find(maps, (uintptr_t)&data);
	assert_non_null(e);
	assert_true(e->perm & MAP_PERM_WRITE);
	e = maps__find(maps, (uintptr_t)own_maps_hold_own_addresses);
	assert_non_null(e);
	assert_true(e->perm & MAP_PERM_EXEC);
	assert_non_null(strstr(e->name, "test_proc_maps"));
	assert_non_null(maps__find(maps, (uintptr_t)&local));
	for (size_t i = 1; i < maps__count(maps); i++)
		assert_true(maps__at(maps, i - 1)->end <= maps__at(maps, i)->start);
	maps__unref(maps);
}

static void ended_processes_are_gone(void **state)
{
	struct maps *maps = (void *)1;
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(maps__read(pid, &maps), -ESRCH); /* zombie */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(maps__read(pid, &maps), -ESRCH);
	assert_ptr_equal(maps, (void *)1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(find_takes_the_end_as_outside),
		cmocka_unit_test(nasty_names_are_kept),
		cmocka_unit_test(malformed_lines_are_skipped),
		cmocka_unit_test(order_is_kept_by_dropping),
		cmocka_unit_test(no_text_is_no_mapping),
		cmocka_unit_test(references_keep_it_alive),
		cmocka_unit_test(own_maps_hold_own_addresses),
		cmocka_unit_test(ended_processes_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
