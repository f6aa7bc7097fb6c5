/* SPDX-License-Identifier: MIT */
/* Keys tables of dicts and blocks of mimalloc: structures that are recognised by their contents. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "proc/mem.h"
#include "python/keys.h"
#include "python/mimalloc.h"
#include "python/tables.h"

static bool parse(uint32_t version, const uint64_t words[5], struct py_keys *out)
{
	return py_keys__parse(&py_table__find(version)->offsets, (const uint8_t *)words, out);
}

/* 3.8 to 3.10: count, slots, lookup function, room left, entries. */
static void old_tables(void **state)
{
	struct py_keys keys;

	(void)state;
	for (uint32_t version = 0x0308; version <= 0x030a; version++) {
		assert_true(parse(version, (uint64_t[]){1, 8, 0x55500000, 3, 2}, &keys));
		assert_int_equal(keys.size, 8);
		assert_int_equal(keys.index, 40);
		assert_true(parse(version, (uint64_t[]){1, 1024, 0x55500000, 0, 682}, &keys));
		assert_false(parse(version, (uint64_t[]){1, 8, 0x55500000, 4, 2}, &keys));
		assert_false(parse(version, (uint64_t[]){1, 12, 0x55500000, 3, 2}, &keys));
		assert_false(parse(version, (uint64_t[]){1, 4, 0x55500000, 1, 1}, &keys));
		assert_false(parse(version, (uint64_t[]){0, 8, 0x55500000, 3, 2}, &keys));
	}
}

/* 3.11 and later: count; log2 of slots, log2 of index bytes, kind, version; room left; entries. */
static void new_tables(void **state)
{
	struct py_keys keys;

	(void)state;
	for (uint32_t version = 0x030b; version <= 0x030f; version++) {
		assert_true(parse(version, (uint64_t[]){1, 0x010303, 3, 2, ~0ull}, &keys));
		assert_int_equal(keys.size, 8);
		assert_int_equal(keys.index, 32);
		assert_int_equal(keys.bytes, 40);
		assert_false(keys.shared);
		assert_true(parse(version, (uint64_t[]){7, 0x020606, 30, 1, ~0ull}, &keys));
		assert_true(keys.shared);
		/* 2 bytes a slot from 256 slots on, 4 from 65536 on */
		assert_true(parse(version, (uint64_t[]){1, 0x0908, 0, 170, ~0ull}, &keys));
		assert_false(parse(version, (uint64_t[]){1, 0x0808, 0, 170, ~0ull}, &keys));
		assert_true(parse(version, (uint64_t[]){1, 0x1210, 0, 170, ~0ull}, &keys));
		assert_false(parse(version, (uint64_t[]){1, 0x030303, 3, 2, ~0ull}, &keys));
		assert_false(parse(version, (uint64_t[]){1, 0x010303, 3, 3, ~0ull}, &keys));
		assert_false(parse(version, (uint64_t[]){1, 0x010303, ~0ull, 2, ~0ull}, &keys));
		assert_false(parse(version, (uint64_t[]){1, 0x010202, 1, 1, ~0ull}, &keys));
		assert_false(parse(version, (uint64_t[]){1, 0xffffff, 1, 1, ~0ull}, &keys));
	}
}

#define SEGMENT (32ull << 20)
#define SLICE	65536

static uint8_t *segment;

static void put(size_t at, uint64_t value, size_t len)
{
	memcpy(segment + at, &value, len);
}

static void expect_block(const struct py_offsets *off, size_t at, size_t start, size_t size)
{
	struct mem_source mem = mem__of(getpid());
	struct mi_block block;

	assert_int_equal(mimalloc__find(&mem, off, (uintptr_t)segment + at, &block), 0);
	assert_false(block.metadata);
	assert_int_equal(block.start - (uintptr_t)segment, start);
	assert_int_equal(block.size, size);
	assert_int_equal(block.first_free, 0x1234);
}

/* A page of three slices from slice 4 on, with blocks of 96 bytes. */
static void page(const struct py_offsets *off)
{
	for (unsigned int i = 0; i < 3; i++) {
		size_t at = off->mimalloc_segment_slices + (4 + i) * off->mimalloc_page_size;

		put(at + off->mimalloc_page_slice_offset, i * off->mimalloc_page_size, 4);
	}
	put(off->mimalloc_segment_slices + 4 * off->mimalloc_page_size +
		    off->mimalloc_page_block_size,
	    96, off->version >= 0x030e ? 8 : 4);
	put(off->mimalloc_segment_slices + 4 * off->mimalloc_page_size + off->mimalloc_page_free,
	    0x1234, 8);
}

static void blocks_of_mimalloc(void **state)
{
	struct mem_source mem = mem__of(getpid());
	uint8_t *map = mmap(NULL, 2 * SEGMENT, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct mi_block block;

	(void)state;
	assert_true(map != MAP_FAILED);
	segment = (uint8_t *)(((uintptr_t)map + SEGMENT - 1) & ~(SEGMENT - 1));
	for (uint32_t version = 0x030d; version <= 0x030f; version++) {
		const struct py_offsets *off = &py_table__find_free_threaded(version)->offsets;

		page(off);
		expect_block(off, 4 * SLICE, 4 * SLICE, 96);
		expect_block(off, 4 * SLICE + 95, 4 * SLICE, 96);
		expect_block(off, 4 * SLICE + 96, 4 * SLICE + 96, 96);
		expect_block(off, 6 * SLICE + 5, 4 * SLICE + (2 * SLICE + 5) / 96 * 96, 96);
		assert_int_equal(mimalloc__find(&mem, off, (uintptr_t)segment + 9 * SLICE, &block),
				 -ENOENT); /* no page there: blocks of 0 bytes */
		assert_int_equal(mimalloc__find(&mem, off, (uintptr_t)segment + 600, &block), 0);
		assert_true(block.metadata);
		memset(segment, 0xff, SLICE); /* offsets that lead out of the segment */
		assert_true(mimalloc__find(&mem, off, (uintptr_t)segment + 5 * SLICE, &block) < 0);
		memset(segment, 0, SLICE);
	}
	munmap(map, 2 * SEGMENT);
}

static void with_the_gil_there_is_none(void **state)
{
	struct mem_source mem = mem__of(getpid());
	struct mi_block block;

	(void)state;
	assert_int_equal(mimalloc__find(&mem, &py_table__find(0x030d)->offsets, 0x12345678, &block),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_tables),
		cmocka_unit_test(new_tables),
		cmocka_unit_test(blocks_of_mimalloc),
		cmocka_unit_test(with_the_gil_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
