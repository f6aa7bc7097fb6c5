/* SPDX-License-Identifier: MIT */
/* Pages that are read once, and never taken for what they were before the time that is asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "proc/mem.h"
#include "proc/mem_cache.h"
#include "proc/mem_pages.h"

#define PAGE  4096
#define PAGES 12 /* more than are kept at once */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

struct world {
	struct mem_source src;
	uint8_t *memory;
};

static int setup(void **state)
{
	static struct world w;

	w.src = mem__of(getpid());
	w.memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	assert_ptr_not_equal(w.memory, MAP_FAILED);
	memset(w.memory, 'a', PAGES * PAGE);
	assert_int_equal(mem_cache__new(&w.src.cache), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	mem_cache__free(w->src.cache);
	munmap(w->memory, PAGES * PAGE);
	return 0;
}

static int byte_at(struct world *w, size_t at, uint64_t since)
{
	uint8_t byte;

	w->src.since = since;
	return mem__read(&w->src, (uintptr_t)w->memory + at, &byte, 1) ?: byte;
}

static void what_was_read_later_is_taken(void **state)
{
	struct world *w = *state;
	uint64_t since = now_ns();

	assert_int_equal(byte_at(w, 5, since), 'a');
	w->memory[6] = 'b';
	assert_int_equal(byte_at(w, 6, since), 'a'); /* the page was read with its neighbour */
	assert_int_equal(byte_at(w, 6, since - 1), 'a');
	assert_int_equal(byte_at(w, 6, 0), 'b'); /* who says no time has it read */
	assert_int_equal(byte_at(w, 6, since), 'a');
	assert_int_equal(byte_at(w, 6, now_ns()), 'b');
	assert_int_equal(byte_at(w, 6, since), 'b'); /* the newer one is as good */
}

static void a_new_address_space_is_read(void **state)
{
	struct world *w = *state;
	uint64_t since = now_ns();

	assert_int_equal(byte_at(w, 0, since), 'a');
	w->memory[0] = 'b';
	mem_cache__drop(w->src.cache, getpid() + 1);
	assert_int_equal(byte_at(w, 0, since), 'a');
	mem_cache__drop(w->src.cache, getpid());
	assert_int_equal(byte_at(w, 0, since), 'b');
}

static void ranges_are_whole(void **state)
{
	static uint8_t buf[PAGES * PAGE], expected[PAGES * PAGE];
	struct world *w = *state;
	uint64_t since = now_ns(), at = (uintptr_t)w->memory;

	for (size_t i = 0; i < PAGES * PAGE; i++)
		w->memory[i] = expected[i] = (uint8_t)(i * 7 + i / PAGE);
	w->src.since = since;
	assert_int_equal(mem__read(&w->src, at + PAGE + 100, buf, 10), 0);
	assert_int_equal(mem__read(&w->src, at + 9, buf, MEM_PAGES_MAX), 0);
	assert_memory_equal(buf, expected + 9, MEM_PAGES_MAX);
	memset(w->memory, 'x', PAGES * PAGE);
	assert_int_equal(mem__read(&w->src, at + 10, buf, MEM_PAGES_MAX - 1), 0);
	assert_memory_equal(buf, expected + 10, MEM_PAGES_MAX - 1);
	/* Larger ones are not kept, and are read as they are. */
	assert_int_equal(mem__read(&w->src, at, buf, MEM_PAGES_MAX + 1), 0);
	assert_int_equal(buf[0], 'x');
	assert_int_equal(buf[MEM_PAGES_MAX], 'x');
}

static void what_is_missing_is_missing(void **state)
{
	struct world *w = *state;
	uint64_t since = now_ns(), at = (uintptr_t)w->memory;
	uint8_t buf[2 * PAGE];

	munmap(w->memory + PAGE, PAGE);
	w->src.since = since;
	assert_int_equal(mem__read(&w->src, at + 1, buf, 2 * PAGE - 1), -EFAULT);
	assert_int_equal(mem__read(&w->src, at + PAGE - 8, buf, 8), 0);
	assert_int_equal(mem__read(&w->src, at + PAGE - 8, buf, 9), -EFAULT);
	assert_ptr_equal(mmap(w->memory + PAGE, PAGE, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 w->memory + PAGE);
	assert_int_equal(byte_at(w, PAGE, since), -EFAULT); /* as it was */
	assert_int_equal(byte_at(w, PAGE, now_ns()), 0);
	/* The next process of the list may have it. */
	munmap(w->memory + 2 * PAGE, PAGE);
	w->src.n = 2;
	w->src.pids[1] = getpid();
	assert_int_equal(byte_at(w, 2 * PAGE, now_ns()), -EFAULT);
}

static void more_pages_than_places(void **state)
{
	struct world *w = *state;
	uint64_t since = now_ns();
	const size_t n = 1000;
	uint8_t *many = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0),
		byte;

	assert_ptr_not_equal(many, MAP_FAILED);
	w->src.since = since;
	for (size_t i = 0; i < n; i++)
		many[i * PAGE] = (uint8_t)i;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(mem__read(&w->src, (uintptr_t)many + i * PAGE, &byte, 1),
					 0);
			assert_int_equal(byte, (uint8_t)i);
		}
	}
	munmap(many, n * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_read_later_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_address_space_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(ranges_are_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_missing_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(more_pages_than_places, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
