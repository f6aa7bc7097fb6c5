/* SPDX-License-Identifier: MIT */
/*
 * All that cowtrace knows of each CPython minor version. A new version is one file in versions/
 * that names what changed, one row in tables.c, one column in debug_offsets.def, and its tests.
 */
#ifndef COWTRACE_PYTHON_TABLES_H
#define COWTRACE_PYTHON_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/offsets.h"

/* Sizes of _PyRuntime that were seen, with the main interpreter's place in it; 0: outside. */
struct py_main_place {
	uint32_t runtime_size, main_interpreter;
};

#define PY_MAIN_PLACES 6

/*
 * pthread_mutex_t has 48 bytes in glibc on arm64, and 40 on x86-64 and in musl: by so many bytes
 * more than in the table _PyRuntime is larger there, and what lies behind the mutexes of the GIL is
 * further on. All other members are where they are on x86-64.
 */
struct py_mutex_shift {
	uint8_t runtime_size, main_interpreter, gilstate, code_count;
};

struct py_table {
	struct py_offsets offsets;
	bool free_threaded;
	struct py_main_place mains[PY_MAIN_PLACES];
	struct py_mutex_shift shift;
	uint16_t debug_size;   /* of _Py_DebugOffsets; 0: this version has none */
	uint16_t debug_column; /* of debug_offsets.def */
};

/* version: major << 8 | minor; GIL builds. NULL: not known. */
const struct py_table *py_table__find(uint32_t version);
/* The same for free-threaded builds (3.13+). */
const struct py_table *py_table__find_free_threaded(uint32_t version);
/* Where the main interpreter lies in a _PyRuntime of that size: a row of mains; NULL: never seen.
 */
const struct py_main_place *py_table__place(const struct py_table *table, uint64_t runtime_size,
					    bool large_mutexes);
/* The known versions are those from the first to the last. */
uint32_t py_table__oldest(void);
uint32_t py_table__newest(void);

#endif
