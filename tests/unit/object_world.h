/* SPDX-License-Identifier: MIT */
/* CPython 3.12 objects in a pymalloc pool of this very process, and writes to them. */
#ifndef COWTRACE_TESTS_OBJECT_WORLD_H
#define COWTRACE_TESTS_OBJECT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <cowtrace/abi.h>

#include "base/intern.h"
#include "enrich/block.h"
#include "enrich/image.h"
#include "enrich/names.h"
#include "enrich/object.h"
#include "model/facts.h"
#include "proc/tree.h"
#include "python_fake.h"

#define POOL_SIZE   16384
#define POOL_HEADER 48

struct fake_type fake_metatype;

static struct fake_type plain, tracked, managed;
static struct intern *strings;
static struct names *names;
static struct image image;
static struct process process;
static uint64_t *pool; /* aligned as a pool is */
static struct ct_copy copy;
static struct fault_facts facts;
static struct block_cache blocks_seen;
static struct insn write_to;
static void (*meanwhile)(void); /* what happens between the write and the look at it */

static inline int setup(void **state)
{
	(void)state;
	fake_metatype = fake_type("type", FAKE_TYPE | FAKE_GC);
	fake_metatype.basic_size = 920;
	fake_metatype.item_size = 40;
	plain = fake_type("int", 0);
	tracked = fake_type("dict", FAKE_GC);
	managed = fake_type("Klass", FAKE_GC | 1 << 4);
	image.offsets = fake_offsets();
	process = (struct process){.pid = getpid()};
	copy = (struct ct_copy){};
	facts = (struct fault_facts){.has_window = true};
	meanwhile = NULL;
	write_to = (struct insn){.kind = INSN_STORE, .width = 8};
	pool = aligned_alloc(POOL_SIZE, POOL_SIZE);
	assert_non_null(pool);
	memset(pool, 0, POOL_SIZE);
	return intern__new(&strings) ?: names__new(strings, NULL, &names);
}

static inline int teardown(void **state)
{
	(void)state;
	names__free(names);
	intern__free(strings);
	free(pool);
	return 0;
}

static inline uint64_t address_of(size_t offset)
{
	return (uintptr_t)pool + offset;
}

/* A write to address; the window shows what is there now. */
static inline void write_at(uint64_t address)
{
	facts = (struct fault_facts){
		.addr = address,
		.has_window = facts.has_window,
		.has_old = facts.has_window,
		.python_version = 0x030c,
		.region = {.kind = REGION_ANON,
			   .start = address_of(0),
			   .end = address_of(POOL_SIZE)},
		.insn = write_to,
	};
	for (int i = 0; facts.has_window && i < CT_WINDOW_WORDS; i++) {
		uint64_t at = (address & ~7ull) - CT_WINDOW_BEFORE + 8 * i;

		if (at >= (uintptr_t)pool && at < (uintptr_t)pool + POOL_SIZE)
			memcpy(&facts.window[i], (void *)at, 8);
	}
	facts.old_value = facts.window[CT_WINDOW_BEFORE / 8];
	if (meanwhile)
		meanwhile();
	object__find(names, &blocks_seen, &process, &image, &copy, &facts);
}

static inline void object_at(size_t offset, const struct fake_type *type, uint64_t refcount)
{
	pool[offset / 8] = refcount;
	pool[offset / 8 + 1] = (uintptr_t)type;
}

/* A block of 64 bytes each, from the header on. */
static inline uint64_t block(unsigned int n)
{
	return address_of(POOL_HEADER + 64 * n);
}

static inline void in_pool(uint64_t free_list)
{
	copy.flags = CT_F_POOL;
	copy.pool_szidx = 3;
	copy.pool_free = free_list;
}

static inline void expect_object(const char *type, uint64_t object)
{
	assert_string_equal(facts.object.type ? facts.object.type->name : "-", type);
	assert_int_equal(facts.object.address, object);
	facts.block = (struct block_fact){};
	memset(facts.type_at, 0, sizeof(facts.type_at));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
