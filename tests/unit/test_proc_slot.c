/* SPDX-License-Identifier: MIT */
/* Groups of musl's malloc, made by hand in this very process. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "proc/mem.h"
#include "proc/slot.h"

static _Alignas(4096) uint8_t memory[256 * 1024];
static uint64_t meta[5];
static struct chunk_scratch scratch;

#define GROUP  4096
#define STRIDE 1008 /* class 19: 63 units */

static void put(void *at, uint64_t value, size_t size)
{
	memcpy(at, &value, size);
}

/* Seven blocks; the fourth is handed out two units behind its start, the sixth is free. */
static int setup(void **state)
{
	(void)state;
	memset(memory, 0, sizeof(memory));
	memset(meta, 0, sizeof(meta));
	put(memory + GROUP, (uintptr_t)meta, 8);
	meta[2] = (uintptr_t)memory + GROUP;
	meta[3] = 1ull << (32 + 5);
	meta[4] = 6 | 19 << 6;
	for (size_t i = 0; i < 7; i++) {
		uint8_t *p = memory + GROUP + 16 + i * STRIDE;

		p[-3] = i;
		put(p - 2, i * STRIDE / 16, 2);
	}
	put(memory + GROUP + 16 + 3 * STRIDE - 3, 7 << 5, 1);
	put(memory + GROUP + 16 + 3 * STRIDE - 2, 2, 2);
	put(memory + GROUP + 16 + 3 * STRIDE + 32 - 2, 3 * STRIDE / 16 + 2, 2);
	put(memory + GROUP + 16 + 3 * STRIDE + 32 - 3, 3, 1);
	return 0;
}

static int find(size_t at, struct chunk *out)
{
	struct mem_source mem = mem__of(getpid());
	uint64_t start = (uintptr_t)memory;
	struct chunk_space all = {.low = start, .high = start + sizeof(memory)};

	return slot__find(&mem, start + at, &all, true, &scratch, out);
}

static void expect(size_t at, size_t start, size_t size)
{
	struct chunk chunk;

	assert_int_equal(find(at, &chunk), 0);
	assert_int_equal(chunk.start - (uintptr_t)memory, start);
	assert_int_equal(chunk.size, size);
}

static void blocks(void **state)
{
	(void)state;
	expect(GROUP + 16, GROUP + 16, STRIDE - 4);
	expect(GROUP + 16 + STRIDE - 5, GROUP + 16, STRIDE - 4);
	expect(GROUP + 16 + STRIDE + 8, GROUP + 16 + STRIDE, STRIDE - 4);
	expect(GROUP + 16 + 6 * STRIDE + 900, GROUP + 16 + 6 * STRIDE, STRIDE - 4);
}

static void a_block_that_begins_later(void **state)
{
	(void)state;
	expect(GROUP + 16 + 3 * STRIDE + 32, GROUP + 16 + 3 * STRIDE + 32, STRIDE - 36);
	expect(GROUP + 16 + 3 * STRIDE + 700, GROUP + 16 + 3 * STRIDE + 32, STRIDE - 36);
}

/* Of 40 pages, at the start of a page. */
static void large_blocks(void **state)
{
	(void)state;
	meta[3] = 0;
	meta[4] = 63 << 6 | 40 << 12;
	expect(GROUP + 150000, GROUP + 16, 40 * 4096 - 20);
	expect(GROUP + 100, GROUP + 16, 40 * 4096 - 20);
}

static void no_blocks(void **state)
{
	struct chunk chunk;

	(void)state;
	assert_int_equal(find(GROUP + 16 + 5 * STRIDE + 100, &chunk), -ESTALE);
	assert_int_equal(find(GROUP + 16 + 7 * STRIDE + 100, &chunk), -ENOENT);
	assert_int_equal(find(64, &chunk), -ENOENT);
	meta[2]++; /* does not point back */
	assert_int_equal(find(GROUP + 16 + 100, &chunk), -ENOENT);
	memset(memory, 0xff, sizeof(memory));
	assert_int_equal(find(GROUP + 16 + 100, &chunk), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(blocks),
		TEST(a_block_that_begins_later),
		TEST(large_blocks),
		TEST(no_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
