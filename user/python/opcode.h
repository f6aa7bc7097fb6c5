/* SPDX-License-Identifier: MIT */
/* What the bytecode instruction that is being executed does: the program's own part of the evidence
 * for a write. */
#ifndef COWTRACE_PYTHON_OPCODE_H
#define COWTRACE_PYTHON_OPCODE_H

#include <stdint.h>

enum py_opcode_kind {
	PY_OPCODE_UNKNOWN,  /* of a version that is not in the list */
	PY_OPCODE_OTHER,    /* changes no object that was there before, by itself */
	PY_OPCODE_STORES,   /* to an item, an attribute, a name, a cell; in-place arithmetic */
	PY_OPCODE_CALLS,    /* a function, which may be one that changes its arguments */
	PY_OPCODE_ITERATES, /* moves an iterator or generator on */
	PY_OPCODE_BINARY,   /* 3.11+: in-place or not, as its argument says; never returned */
};

/* The bytecode caches of an instruction follow it: at most 10 units of 2 bytes (3.11 LOAD_METHOD;
 * later ones have less). */
#define PY_OPCODE_MAX_BYTES 22

/* version: major << 8 | minor. */
enum py_opcode_kind py_opcode__kind(uint32_t version, uint8_t opcode, uint8_t oparg);

#endif
