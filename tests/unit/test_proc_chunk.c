/* SPDX-License-Identifier: MIT */
/* Blocks of malloc, made by hand in this very process: as glibc has them, and as chance may. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "proc/chunk.h"
#include "proc/mem.h"

#define SIZE (1 << 20)

static uint8_t *heap;
static struct mem_source mem;
static struct chunk_scratch scratch;

static int setup(void **state)
{
	(void)state;
	heap = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mem = mem__of(getpid());
	return heap == MAP_FAILED;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(heap, SIZE);
}

static void word(size_t at, uint64_t value)
{
	memcpy(heap + at, &value, 8);
}

static int find(size_t at, bool far, struct chunk *out)
{
	uint64_t start = (uintptr_t)heap;
	struct chunk_space all = {.low = start, .high = start + SIZE};

	return chunk__find(&mem, start + at, &all, far, &scratch, out);
}

static void expect(size_t at, size_t start, size_t size, bool mapped)
{
	struct chunk chunk;

	assert_int_equal(find(at, true, &chunk), 0);
	assert_int_equal(chunk.start - (uintptr_t)heap, start);
	assert_int_equal(chunk.size, size);
	assert_int_equal(chunk.mapped, mapped);
}

/* Headers of 64, 8000 + 16 and 300000 + 16 bytes, one after the other, and the top. */
static void small_heap(void)
{
	word(8, 64 | 1);
	word(64 + 8, 8016 | 1);
	word(64 + 8016 + 8, 300016 | 1);
	word(64 + 8016 + 300016 + 8, (SIZE - 64 - 8016 - 300016) | 1);
}

static void blocks_of_a_heap(void **state)
{
	(void)state;
	small_heap();
	expect(16, 16, 56, false);
	expect(16 + 55, 16, 56, false); /* the next one's prev_size is its own */
	expect(80, 80, 8008, false);
	expect(80 + 8007, 80, 8008, false);
	expect(64 + 8016 + 16, 64 + 8016 + 16, 300008, false);
	expect(64 + 8016 + 16 + 300007, 64 + 8016 + 16, 300008, false);
}

/* Free blocks, and the top: what an ancestor has given back since. */
static void blocks_that_are_not_in_use(void **state)
{
	struct chunk chunk;

	(void)state;
	small_heap();
	assert_int_equal(find(64 + 8016 + 300016 + 64, true, &chunk), -ENOENT);
	word(64 + 8016, 8016);
	word(64 + 8016 + 8, 300016);
	assert_int_equal(find(80 + 40, true, &chunk), -ESTALE);
	expect(64 + 8016 + 16, 64 + 8016 + 16, 300008, false);
	word(64 + 8016, 8000); /* not the size of the one before */
	assert_int_equal(find(64 + 8016 + 16, true, &chunk), -ESTALE);
}

static void not_far(void **state)
{
	struct chunk chunk;

	(void)state;
	small_heap();
	assert_int_equal(find(80 + 200, false, &chunk), 0);
	assert_int_equal(find(64 + 8016 + 16 + 200000, false, &chunk), -ENOENT);
}

/* Numbers that look like a header, but no header follows where they say. */
static void what_lies_in_a_block(void **state)
{
	(void)state;
	small_heap();
	word(80 + 24, 0x31);
	expect(80 + 40, 80, 8008, false);
	for (size_t i = 0; i < 900; i++)
		word(80 + 8 * i, i);
	expect(80 + 4000, 80, 8008, false);
}

/* The address of a static type, in a program that is not relocated, is small enough for a size; and
 * by chance it leads to the next header. */
static void a_number_that_leads_to_a_header(void **state)
{
	(void)state;
	for (size_t at = 0; at < 4096; at += 64)
		word(at + 8, 64 | 1);
	word(4096 + 8, 224 | 1);
	for (size_t at = 4096 + 224; at < 65536 - 64; at += 64)
		word(at + 8, 64 | 1);
	word(4096 + 32 + 8, 192 + 64 * 10);
	expect(4096 + 64, 4096 + 16, 216, false);
	expect(4096 + 40, 4096 + 16, 216, false);
	word(4096 + 32, 1); /* what is before it is not free */
	word(4096 + 32 + 8, (192 + 64 * 10) | 1);
	expect(4096 + 64, 4096 + 16, 216, false);
}

/* "atat" in a block, and a header where such a size leads to; blocks that can not be found. */
static void a_text_that_leads_to_a_header(void **state)
{
	size_t from = 400000, text = from + 1024, size = 0x6160;
	struct chunk chunk;

	(void)state;
	for (size_t at = text + size; at < text + size + 1024; at += 64)
		word(at + 8, 64 | 1);
	word(text + 8, size | 1);
	assert_int_equal(find(text + 12000, true, &chunk), -ENOENT);
	for (size_t at = from; at < text; at += 64)
		word(at + 8, 64 | 1);
	expect(text + 12000, text + 16, size - 8, false);
}

/* The heap has no mappings in it, whatever a page begins with. */
static void the_heap_has_no_mappings(void **state)
{
	uint64_t start = (uintptr_t)heap;
	struct chunk_space space = {.low = start, .high = start + SIZE, .brk = true};
	struct chunk chunk;

	(void)state;
	word(8, 0x21000 | 2);
	assert_int_equal(chunk__find(&mem, start + 20000, &space, true, &scratch, &chunk), -ENOENT);
	space.brk = false;
	assert_int_equal(chunk__find(&mem, start + 20000, &space, true, &scratch, &chunk), 0);
}

static void no_blocks(void **state)
{
	struct chunk chunk;
	uint64_t start = (uintptr_t)heap;
	struct chunk_space other = {.low = start + 4096, .high = start + SIZE};

	(void)state;
	assert_int_equal(find(5000, true, &chunk), -ENOENT);
	assert_int_equal(find(0, true, &chunk), -ENOENT);
	memset(heap, 0xff, SIZE);
	assert_int_equal(find(5000, true, &chunk), -ENOENT);
	memset(heap, 0x41, SIZE);
	assert_int_equal(find(5000, true, &chunk), -ENOENT);
	small_heap();
	assert_int_equal(chunk__find(&mem, start + 100, &other, true, &scratch, &chunk), -ENOENT);
	assert_int_equal(find(SIZE, true, &chunk), -ENOENT);
}

/* Each has a mapping of its own; the kernel joins them. 2.43 leaves the header out of the size. */
static void large_blocks(void **state)
{
	(void)state;
	word(8, 0x21000 | 2);
	word(0x21000 + 8, (0x80000 - 16) | 2);
	expect(16, 16, 0x21000 - 16, true);
	expect(0x20fff, 16, 0x21000 - 16, true);
	expect(0x21010, 0x21010, 0x80000 - 16, true);
	expect(0x21000 + 0x7ffff, 0x21010, 0x80000 - 16, true);
	word(8, 0); /* not from the start: back from the address */
	expect(0x21000 + 0x7ffff, 0x21010, 0x80000 - 16, true);
}

static void a_process_that_is_gone(void **state)
{
	struct chunk_space space = {.low = 0x1000, .high = 0x9000};
	struct mem_source nobody = {};
	struct chunk chunk;

	(void)state;
	assert_true(chunk__find(&nobody, 0x5000, &space, true, &scratch, &chunk) < 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(blocks_of_a_heap),
		TEST(blocks_that_are_not_in_use),
		TEST(not_far),
		TEST(what_lies_in_a_block),
		TEST(a_number_that_leads_to_a_header),
		TEST(a_text_that_leads_to_a_header),
		TEST(the_heap_has_no_mappings),
		TEST(no_blocks),
		TEST(large_blocks),
		TEST(a_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
