/* SPDX-License-Identifier: MIT */
/*
 * _Py_DebugOffsets: from 3.13 on, what an interpreter tells of itself at the start of _PyRuntime.
 * It is the authority on its own layout, but each word of it is checked before it is believed.
 */
#ifndef COWTRACE_PYTHON_DEBUG_OFFSETS_H
#define COWTRACE_PYTHON_DEBUG_OFFSETS_H

#include <stddef.h>
#include <stdint.h>

struct py_offsets;
struct py_runtime;

/* The start of _Py_DebugOffsets is the same in all versions that have them (3.13 to 3.15). */
#define PY_DEBUG_COOKIE	       "xdebugpy"
#define PY_DEBUG_COOKIE_LEN    8
#define PY_DEBUG_VERSION       8
#define PY_DEBUG_FREE_THREADED 16
#define PY_DEBUG_RUNTIME_SIZE  24
#define PY_DEBUG_INTERP_SIZE   48
/* Room for the largest known one: 888 bytes in 3.15. */
#define PY_DEBUG_MAX 1024

#define PY_DEBUG_COLUMNS 3 /* 3.13, 3.14, 3.15 */

/* One line of debug_offsets.def. */
struct py_debug_field {
	uint16_t at[PY_DEBUG_COLUMNS]; /* 0: not told by that version */
	uint16_t in[PY_DEBUG_COLUMNS]; /* word with the place of the structure itself; 0: none */
	uint16_t group, width;
	uint16_t field; /* where it is in struct py_offsets */
	const char *name;
};

const struct py_debug_field *py_debug__fields(size_t *n);
/* Where the size of the structure of a field is told. */
uint16_t py_debug__size_at(const struct py_debug_field *field, unsigned int column);

/* Is it the interpreter that the file promised? 0, or -EPROTO with a sentence in why. */
int py_debug__check_head(const uint8_t *block, const struct py_runtime *rt, char *why,
			 size_t why_size);

/*
 * Replaces the members of off that are told. 0: *differences is how many were others than told, and
 * why names the first of them. -EPROTO: what is told can not be, with a sentence in why; off is not
 * to be used.
 */
int py_debug__apply(const uint8_t *block, unsigned int column, const struct py_runtime *rt,
		    struct py_offsets *off, unsigned int *differences, char *why, size_t why_size);

#endif
