/* SPDX-License-Identifier: MIT */
/*
 * All that cowtrace knows of each CPython minor version, one row each (tables.c): a new version is
 * a new row and its tests.
 */
#ifndef COWTRACE_PYTHON_TABLES_H
#define COWTRACE_PYTHON_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "python/offsets.h"

/* The start of _Py_DebugOffsets is the same in all versions that have them (3.13+). */
#define PY_DEBUG_COOKIE	       "xdebugpy"
#define PY_DEBUG_COOKIE_LEN    8
#define PY_DEBUG_VERSION       8
#define PY_DEBUG_FREE_THREADED 16
/* Room for the largest known one: 888 bytes in 3.15. */
#define PY_DEBUG_MAX 1024

/* A field of the table that _Py_DebugOffsets also tell: the word `at`, plus the word `plus` if any.
 */
struct py_debug_field {
	uint16_t at, plus;
	uint16_t field; /* where it is in struct py_offsets */
	const char *name;
};

/* Where the main interpreter lies in a _PyRuntime of a known size. */
struct py_main_place {
	uint32_t runtime_size, main_interpreter;
};

#define PY_MAIN_PLACES 4

struct py_table {
	struct py_offsets offsets;
	struct py_main_place mains[PY_MAIN_PLACES];
	/* _Py_DebugOffsets of this version: how many bytes; 0: it has none. */
	uint16_t debug_size, debug_runtime_size, debug_interp_size;
	const struct py_debug_field *debug;
	size_t n_debug;
};

/* version: major << 8 | minor. NULL: not known. */
const struct py_table *py_table__find(uint32_t version);
/* The known versions are those from the first to the last. */
uint32_t py_table__oldest(void);
uint32_t py_table__newest(void);

#endif
