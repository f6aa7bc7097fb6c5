/* SPDX-License-Identifier: MIT */
/* Which object a write goes to: by the window, by the pool. */
#include "object_world.h"

/* Which places show a type: a name, or "-" for none. */
static void expect_places(const char *const want[OBJECT_PLACES])
{
	for (int i = 0; i < OBJECT_PLACES; i++)
		assert_string_equal(facts.type_at[i] ? facts.type_at[i]->name : "-", want[i]);
	memset(facts.type_at, 0, sizeof(facts.type_at));
}

#define PLACES(...) expect_places((const char *[OBJECT_PLACES]){__VA_ARGS__})

/* --- the window --- */

static void the_object_at_the_address(void **state)
{
	(void)state;
	object_at(1024, &plain, 1);
	write_at(address_of(1024));
	PLACES("int", "-", "-", "-", "-");
	object_at(1024, &managed, 1);
	object_at(1024 + 16, &tracked, 1); /* need not be looked for */
	write_at(address_of(1024));
	PLACES("Klass", "-", "-", "-", "-");
	assert_int_equal(facts.block.allocator, BLOCK_NONE);
}

/* Inside of the first word: it may be the count, or half a pointer of what is in front of it. */
static void the_second_half_of_a_count(void **state)
{
	(void)state;
	object_at(1024, &plain, 1);
	object_at(1024 + 16, &tracked, 1);
	write_at(address_of(1024 + 4));
	PLACES("int", "-", "dict", "-", "-");
}

static void in_front_of_an_object(void **state)
{
	(void)state;
	object_at(1024, &managed, 1);
	write_at(address_of(1024 - 8));
	PLACES("-", "Klass", "-", "-", "-");
	write_at(address_of(1024 - 16));
	PLACES("-", "-", "Klass", "-", "-");
	write_at(address_of(1024 - 24));
	PLACES("-", "-", "-", "Klass", "-");
	write_at(address_of(1024 - 32));
	PLACES("-", "-", "-", "-", "Klass");
	write_at(address_of(1024 - 40));
	PLACES("-", "-", "-", "-", "-");
	object_at(1024, &tracked, 1); /* no managed words */
	write_at(address_of(1024 - 8));
	PLACES("-", "dict", "-", "-", "-");
	write_at(address_of(1024 - 24));
	PLACES("-", "-", "-", "-", "-");
	object_at(1024, &plain, 1); /* not even a GC head */
	write_at(address_of(1024 - 8));
	PLACES("-", "-", "-", "-", "-");
	write_at(address_of(1024 - 16));
	PLACES("-", "-", "-", "-", "-");
}

/* Objects are aligned to 16 bytes: a pointer to a type elsewhere is just a pointer. */
static void pointers_to_types_elsewhere(void **state)
{
	(void)state;
	object_at(1024 + 8, &tracked, 1);
	for (int at = -64; at <= 64; at++) {
		write_at(address_of(1024 + at));
		PLACES("-", "-", "-", "-", "-");
	}
	object_at(1024, (void *)0x7000, 1); /* no type there at all */
	write_at(address_of(1024));
	PLACES("-", "-", "-", "-", "-");
	object_at(1024, (void *)&process, 1);
	write_at(address_of(1024));
	PLACES("-", "-", "-", "-", "-");
}

static void no_window(void **state)
{
	(void)state;
	object_at(1024, &plain, 1);
	facts.has_window = false;
	write_at(address_of(1024));
	PLACES("-", "-", "-", "-", "-");
}

/* --- the pool --- */

static void blocks(void **state)
{
	static const unsigned int numbers[] = {0, 1, 2, 100, 254};

	(void)state;
	facts.has_window = false;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		in_pool(0);
		for (unsigned int at = 0; at < 64; at += 9) {
			write_at(block(numbers[i]) + at);
			assert_int_equal(facts.block.allocator, BLOCK_PYMALLOC);
			assert_false(facts.block.header);
			assert_int_equal(facts.block.size, 64);
			assert_int_equal(facts.block.start, block(numbers[i]));
			assert_false(facts.block.is_free);
		}
	}
	copy.pool_szidx = 31;
	write_at(address_of(POOL_HEADER + 512 * 30 + 511));
	assert_int_equal(facts.block.size, 512);
	assert_int_equal(facts.block.start, address_of(POOL_HEADER + 512 * 30));
}

static void headers(void **state)
{
	(void)state;
	in_pool(block(3));
	copy.flags |= CT_F_POOL_HEADER;
	write_at(address_of(8));
	assert_int_equal(facts.block.allocator, BLOCK_PYMALLOC);
	assert_true(facts.block.header);
	assert_false(facts.block.is_free);
	assert_int_equal(facts.block.size, 64);
	copy.flags = 0;
	facts.block = (struct block_fact){};
	write_at(address_of(8));
	assert_int_equal(facts.block.allocator, BLOCK_NONE);
}

/* At the head of the free list: it is given back. Holding the link to the head: it was just taken.
 */
static void free_blocks(void **state)
{
	(void)state;
	in_pool(block(3));
	write_at(block(3));
	assert_true(facts.block.is_free);
	write_at(block(3) + 40);
	assert_true(facts.block.is_free);
	*(uint64_t *)block(5) = block(3);
	for (unsigned int at = 0; at < 64; at += 4) {
		write_at(block(5) + at);
		assert_int_equal(facts.block.is_free, at < 32); /* as far as the window goes */
	}
	*(uint64_t *)block(5) = block(3) + 64; /* another link */
	*(uint64_t *)(block(5) + 8) = 1;
	write_at(block(5));
	assert_false(facts.block.is_free);
	in_pool(0); /* an empty list: a block of zeroes is the last that was on it */
	*(uint64_t *)block(7) = 0;
	write_at(block(7));
	assert_true(facts.block.is_free);
	*(uint64_t *)block(7) = 1;
	write_at(block(7));
	assert_false(facts.block.is_free);
}

static void the_object_in_the_block(void **state)
{
	(void)state;
	in_pool(0);
	object_at(POOL_HEADER + 64 * 2, &plain, 1);
	write_at(block(2) + 16);
	expect_object("int", block(2));
	write_at(block(2) + 63); /* out of the window: read from the process */
	expect_object("int", block(2));
	object_at(POOL_HEADER + 64 * 2, &tracked, 1); /* wants a GC head in front of it */
	write_at(block(2) + 16);
	expect_object("-", 0);
	object_at(POOL_HEADER + 64 * 4 + 16, &tracked, 1);
	*(uint64_t *)block(4) = 0x1234;
	write_at(block(4) + 48);
	expect_object("dict", block(4) + 16);
	object_at(POOL_HEADER + 64 * 4 + 16, &plain, 1); /* and this one none */
	write_at(block(4) + 48);
	expect_object("-", 0);
	object_at(POOL_HEADER + 64 * 6 + 32, &managed, 1);
	*(uint64_t *)block(6) = 0x1234;
	write_at(block(6) + 60);
	expect_object("Klass", block(6) + 32);
	object_at(POOL_HEADER + 64 * 6 + 32, &tracked, 1);
	write_at(block(6) + 60);
	expect_object("-", 0);
}

/* What the window shows directly needs no search in the block. */
static void the_window_comes_first(void **state)
{
	(void)state;
	in_pool(0);
	object_at(POOL_HEADER + 64 * 2, &plain, 1);
	write_at(block(2));
	assert_non_null(facts.type_at[OBJECT_AT_REFCOUNT]);
	expect_object("-", 0);
}

/* A dead object still has its type, but no count: 0 or the link to the next free block. */
static void dead_objects(void **state)
{
	(void)state;
	in_pool(block(9));
	object_at(POOL_HEADER + 64 * 2, &plain, 0);
	write_at(block(2) + 16);
	assert_true(facts.block.is_free);
	assert_true(facts.object.dead);
	expect_object("int", block(2));
	object_at(POOL_HEADER + 64 * 2, &plain, block(8));
	write_at(block(2) + 16);
	assert_true(facts.object.dead);
	expect_object("int", block(2));
	object_at(POOL_HEADER + 64 * 2, &plain, UINT32_MAX); /* immortal */
	write_at(block(2) + 16);
	assert_false(facts.object.dead);
	expect_object("int", block(2));
}

/* 3.12: a table of 8 slots with 2 of 5 entries in use. */
static void the_keys_of_a_dict(void **state)
{
	uint64_t *keys;

	(void)state;
	in_pool(0);
	copy.pool_szidx = 7; /* 128 bytes */
	keys = (uint64_t *)address_of(POOL_HEADER + 128);
	keys[0] = 1;
	keys[1] = 0x0303 | 2 << 16;
	keys[2] = 3;
	keys[3] = 2;
	write_at((uintptr_t)keys + 12);
	assert_int_equal(facts.block.content, CONTENT_KEYS);
	assert_true(facts.block.shared_keys);
	assert_int_equal(facts.object.field.kind, PY_FIELD_LAZY);
	expect_object("dict keys", (uintptr_t)keys);
	write_at((uintptr_t)keys + 100);
	assert_int_equal(facts.object.field.kind, PY_FIELD_DATA);
	expect_object("dict keys", (uintptr_t)keys);
	keys[2] = 4; /* more than there is room for */
	write_at((uintptr_t)keys + 12);
	assert_int_equal(facts.block.content, CONTENT_OTHER);
	expect_object("-", 0);
}

/* The values before and after the write are pointers to objects, or are not. */
static void references(void **state)
{
	uint64_t *items;

	(void)state;
	in_pool(0);
	object_at(POOL_HEADER + 64 * 2, &plain, 1);
	items = (uint64_t *)block(5);
	items[0] = items[3] = block(2);
	items[1] = block(2) + 8;
	write_at((uintptr_t)&items[3]);
	assert_int_equal(facts.block.content, CONTENT_OTHER);
	assert_true(facts.old_refers);
	assert_false(facts.new_refers);
	write_at((uintptr_t)&items[1]);
	assert_false(facts.old_refers);
	write_at((uintptr_t)&items[3] + 4);
	assert_false(facts.old_refers);
}

/* An object that would not fit into its block is none. */
static void small_blocks(void **state)
{
	(void)state;
	in_pool(0);
	copy.pool_szidx = 0;
	object_at(POOL_HEADER + 16, &tracked, 1); /* of the next block */
	*(uint64_t *)address_of(POOL_HEADER) = 5;
	facts.has_window = false;
	write_at(address_of(POOL_HEADER + 8));
	assert_int_equal(facts.block.size, 16);
	expect_object("-", 0);
	copy.pool_szidx = 1;
	write_at(address_of(POOL_HEADER + 8));
	expect_object("dict", address_of(POOL_HEADER + 16));
}

/* --- the collector's lists --- */

/* A runtime with two interpreters, of which the second has that list. */
static void what_a_link_named(void **state)
{
	uint64_t gc = fake_offsets()->interp_gc_collecting;
	uint64_t *runtime = calloc(1, 4096), *first = calloc(1, gc + 8),
		 *second = calloc(1, gc + 8);

	(void)state;
	assert_true(runtime && first && second);
	runtime[fake_offsets()->runtime_interpreters_head / 8] = (uintptr_t)first;
	first[fake_offsets()->interp_next / 8] = (uintptr_t)second;
	object_at(1024 + 16, &tracked, 1);
	pool[1024 / 8] = (uintptr_t)second + gc - 100;
	write_at(address_of(1024)); /* the runtime is not known */
	assert_int_equal(facts.old_link, GC_LINK_UNKNOWN);
	image.python.runtime = (uintptr_t)runtime;
	write_at(address_of(1024));
	assert_int_equal(facts.old_link, GC_LINK_LIST);
	pool[1024 / 8] += 2; /* a flag */
	write_at(address_of(1024));
	assert_int_equal(facts.old_link, GC_LINK_LIST);
	pool[1024 / 8] = address_of(2048);
	write_at(address_of(1024));
	assert_int_equal(facts.old_link, GC_LINK_OBJECT);
	second[fake_offsets()->interp_next / 8] = (uintptr_t)second; /* without an end */
	write_at(address_of(1024));
	assert_int_equal(facts.old_link, GC_LINK_UNKNOWN);
	image.python.runtime = 0;
	free(runtime);
	free(first);
	free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_object_at_the_address),
		TEST(the_second_half_of_a_count),
		TEST(in_front_of_an_object),
		TEST(pointers_to_types_elsewhere),
		TEST(no_window),
		TEST(blocks),
		TEST(headers),
		TEST(free_blocks),
		TEST(the_object_in_the_block),
		TEST(the_window_comes_first),
		TEST(dead_objects),
		TEST(the_keys_of_a_dict),
		TEST(references),
		TEST(small_blocks),
		TEST(what_a_link_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
