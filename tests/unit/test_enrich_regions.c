/* SPDX-License-Identifier: MIT */
/* The regions of this very process, which loads a library and forks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/intern.h"
#include "elf/elf.h"
#include "enrich/regions.h"
#include "model/facts.h"
#include "proc/maps.h"
#include "proc/tree.h"

/* A library that every glibc has and that this test does not need. */
#define LIBRARY "libBrokenLocale.so.1"

static struct elf_cache *elves;
static struct intern *strings;
static int root;
static int initialised = 7, zero; /* .data and .bss */

static struct regions *read_regions(const struct regions *before)
{
	struct regions *regions;

	assert_int_equal(regions__read(elves, strings, getpid(), root, before, &regions), 0);
	return regions;
}

static void kinds(void **state)
{
	struct regions *r = read_regions(NULL);
	struct region_fact fact;

	(void)state;
	assert_int_equal(regions__find(r, (uint64_t)&initialised, &fact), 0);
	assert_int_equal(fact.kind, REGION_DATA);
	assert_int_equal(regions__find(r, (uint64_t)&zero, &fact), 0);
	assert_int_equal(fact.kind, REGION_DATA);
	assert_int_equal(regions__find(r, (uint64_t)&fact, &fact), 0);
	assert_int_equal(fact.kind, REGION_STACK);
	assert_int_equal(regions__find(r, 8, &fact), -ENOENT);
	assert_true(regions__has_code(r, (uint64_t)kinds));
	assert_false(regions__has_code(r, (uint64_t)&zero));
	assert_false(regions__has_code(r, 8));
	regions__unref(r);
}

/* A zombie is still said to live, but has no maps; its parent has those that it began with. */
static void of_a_zombie(void **state)
{
	struct process parent = {.pid = getpid()}, child = {.forked_memory = true};
	struct regions *regions;
	pid_t pid = fork();
	siginfo_t info;

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	child.pid = pid;
	assert_int_equal(regions__ask(elves, strings, &child, root, &regions), 0);
	child.parent = &parent;
	assert_int_equal(regions__ask(elves, strings, &child, root, &regions), getpid());
	assert_true(regions__has_code(regions, (uint64_t)of_a_zombie));
	regions__unref(regions);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void programs_and_libraries_are_opened_at_first_sight(void **state)
{
	struct regions *r = read_regions(NULL), *again = read_regions(r);
	const struct map_entry *code = maps__find(regions__maps(r), (uint64_t)kinds);
	const struct map_entry *data = maps__find(regions__maps(r), (uint64_t)&initialised);
	struct elf_symbol symbol;
	struct elf_file *elf;

	(void)state;
	assert_int_not_equal(code->file, 0);
	assert_int_equal(code->file, data->file);
	assert_int_equal(maps__find(regions__maps(again), (uint64_t)kinds)->file, code->file);
	/* No path is needed any more. */
	assert_int_equal(elf_cache__mapped(elves, code->file, -1, "/none", 1, &elf), 0);
	assert_int_equal(elf__symbol(elf, "main", &symbol), 0);
	assert_int_equal(maps__find(regions__maps(r), (uint64_t)&symbol)->file, 0);
	regions__unref(again);
	regions__unref(r);
}

static void a_library_that_comes_late(void **state)
{
	struct regions *before = read_regions(NULL), *same = read_regions(before), *after;
	void *handle, *symbol;

	(void)state;
	assert_true(regions__modules(before) == regions__modules(same));
	handle = dlopen(LIBRARY, RTLD_NOW);
	assert_non_null(handle);
	symbol = dlsym(handle, "__ctype_get_mb_cur_max");
	assert_non_null(symbol);
	after = read_regions(same);
	assert_true(regions__modules(before) != regions__modules(after));
	assert_true(regions__libpythons(before) == regions__libpythons(after));
	assert_true(regions__share_module(before, after, (uint64_t)&zero));
	assert_true(regions__share_module(before, after, (uint64_t)kinds));
	assert_false(regions__share_module(before, after, (uint64_t)symbol));
	assert_false(regions__share_module(before, after, 8));
	dlclose(handle);
	regions__unref(after);
	regions__unref(same);
	regions__unref(before);
}

/* At one address, first one file, then another. */
static void a_place_that_is_used_again(void **state)
{
	int first = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int second = memfd_create("second", MFD_CLOEXEC);
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, first, 0);
	struct regions *before = read_regions(NULL), *after;
	uint64_t file;

	(void)state;
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(ftruncate(second, 4096), 0);
	assert_ptr_equal(mmap(at, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, second, 0),
			 at);
	after = read_regions(before);
	file = maps__find(regions__maps(before), (uint64_t)at)->file;
	assert_int_not_equal(file, 0);
	assert_int_not_equal(maps__find(regions__maps(after), (uint64_t)at)->file, file);
	assert_false(regions__share_module(before, after, (uint64_t)at));
	munmap(at, 4096);
	close(first);
	close(second);
	regions__unref(after);
	regions__unref(before);
}

static int setup(void **state)
{
	(void)state;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -1 : elf_cache__new(&elves) ?: intern__new(&strings);
}

static int teardown(void **state)
{
	(void)state;
	elf_cache__free(elves);
	intern__free(strings);
	return close(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(of_a_zombie),
		cmocka_unit_test(programs_and_libraries_are_opened_at_first_sight),
		cmocka_unit_test(a_library_that_comes_late),
		cmocka_unit_test(a_place_that_is_used_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
