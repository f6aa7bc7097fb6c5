// SPDX-License-Identifier: MIT
/*
 * Offsets computed with offsetof() from the internal headers (Py_BUILD_CORE) of the versions named
 * in versions/, x86-64; those of arm64 were compared: see struct py_mutex_shift. Another patch
 * release of the same minor is accepted: of the members that are used none moved in any pair
 * compared (3.9.2 to 3.9.18, 3.11.2 to 3.11.7, 3.12.0 to 3.12.1, 3.13.0 to 3.13.18), and none moves
 * with Py_DEBUG. The main interpreter does move, so it has its own evidence. So do other members of
 * an interpreter: the count of code objects is used with a familiar size only, and sizes with
 * Py_DEBUG (which moves it) are not among those of 3.13+.
 */
#include "python/tables.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Each version overrides what the one before it has, on purpose. */
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct py_table tables[] = {
	{
		.offsets =
			{
				.version = 0x0308,
#include "python/versions/3.8.def"
			},
		/* 3.8.18; up to 3.10 interpreters are allocated */
		.mains = {{1464, 0}},
		.shift = {16, 0, 16, 0},
	},
	{
		.offsets =
			{
				.version = 0x0309,
#include "python/versions/3.9.def"
			},
		.mains = {{656, 0}}, /* 3.9.2, 3.9.18 */
		.shift = {16, 0, 16, 0},
	},
	{
		.offsets =
			{
				.version = 0x030a,
#include "python/versions/3.10.def"
			},
		.mains = {{672, 0}}, /* 3.10.13 */
		.shift = {16, 0, 16, 0},
	},
	{
		.offsets =
			{
				.version = 0x030b,
#include "python/versions/3.11.def"
			},
		.mains = {{166688, 58936}}, /* 3.11.2, 3.11.7, also with Py_DEBUG */
		.shift = {16, 16, 16, 0},
	},
	{
		.offsets =
			{
				.version = 0x030c,
#include "python/versions/3.12.def"
			},
		/* 3.12.0; 3.12.1; 3.12.1 with Py_DEBUG */
		.mains = {{459888, 76368}, {459944, 76392}, {475960, 92392}},
		.shift = {16, 0, 0, 0},
	},
	{
		.offsets =
			{
				.version = 0x030d,
#include "python/versions/3.13.def"
			},
		/* 3.13.0; 3.13.5; 3.13.18; 3.13.5 with musl */
		.mains = {{283320, 88352}, {283376, 88400}, {283408, 88424}, {283304, 88328}},
		.shift = {16, 0, 0, 16},
		.debug_size = 584,
		.debug_column = 0,
	},
	{
		.offsets =
			{
				.version = 0x030d,
#include "python/versions/3.13t.def"
			},
		/* 3.13.0; 3.13.5; 3.13.18 */
		.mains = {{328256, 112640}, {328320, 112704}, {328384, 112768}},
		.shift = {64, 0, 0, 64},
		.free_threaded = true,
		.debug_size = 584,
		.debug_column = 0,
	},
	{
		.offsets =
			{
				.version = 0x030e,
#include "python/versions/3.14.def"
			},
		.mains = {{316616, 90752}}, /* 3.14.10 */
		.shift = {16, 0, 0, 16},
		.debug_size = 760,
		.debug_column = 1,
	},
	{
		.offsets =
			{
				.version = 0x030e,
#include "python/versions/3.14t.def"
			},
		.mains = {{365624, 115648}}, /* 3.14.10 */
		.shift = {16, 0, 0, 16},
		.free_threaded = true,
		.debug_size = 760,
		.debug_column = 1,
	},
	{
		.offsets =
			{
				.version = 0x030f,
#include "python/versions/3.15.def"
			},
		/* 3.15.2; with a JIT */
		.mains = {{346560, 120328}, {346568, 120328}},
		.shift = {16, 0, 0, 16},
		.debug_size = 888,
		.debug_column = 2,
	},
	{
		.offsets =
			{
				.version = 0x030f,
#include "python/versions/3.15t.def"
			},
		.mains = {{409296, 158968}}, /* 3.15.2 */
		.shift = {16, 0, 0, 16},
		.free_threaded = true,
		.debug_size = 888,
		.debug_column = 2,
	},
};

static const struct py_table *find(uint32_t version, bool free_threaded)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (tables[i].offsets.version == version &&
		    tables[i].free_threaded == free_threaded)
			return &tables[i];
	return NULL;
}

const struct py_table *py_table__find(uint32_t version)
{
	return find(version, false);
}

const struct py_table *py_table__find_free_threaded(uint32_t version)
{
	return find(version, true);
}

const struct py_main_place *py_table__place(const struct py_table *table, uint64_t runtime_size,
					    bool large_mutexes)
{
	uint32_t more = large_mutexes ? table->shift.runtime_size : 0;

	for (size_t i = 0; i < PY_MAIN_PLACES && runtime_size; i++)
		if (table->mains[i].runtime_size &&
		    table->mains[i].runtime_size + more == runtime_size)
			return &table->mains[i];
	return NULL;
}

uint32_t py_table__oldest(void)
{
	return tables[0].offsets.version;
}

uint32_t py_table__newest(void)
{
	return tables[ARRAY_LEN(tables) - 1].offsets.version;
}
