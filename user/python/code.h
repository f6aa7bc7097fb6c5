/* SPDX-License-Identifier: MIT */
/* A code object: where its function is written, and which line an instruction belongs to. */
#ifndef COWTRACE_PYTHON_CODE_H
#define COWTRACE_PYTHON_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mem_source;
struct py_offsets;

struct py_code {
	uint64_t address;
	uint64_t bytecode;     /* co_code_adaptive: instructions and inline caches ... */
	uint64_t bytecode_end; /* ... up to here */
	uint64_t end;	       /* end of the code object */
	uint32_t first_line;
	/* 3.13+: no instruction of it can be traced. It is the frame that the interpreter pushes to
	 * check what an inlined __init__() returns; Python itself shows no such frame. */
	bool trampoline;
	char *file;	     /* co_filename, valid UTF-8, bounded; owned */
	char *function;	     /* co_qualname, valid UTF-8, bounded; owned */
	uint8_t *line_table; /* NULL: longer than PY_LINE_TABLE_MAX */
	size_t line_table_len;
};

/* Longest line table that is read, bytes. */
#define PY_LINE_TABLE_MAX (4u << 20)

/*
 * Reads the code object at address. check: the digest that BPF took of it (struct ct_frame),
 * compared with what is read, so that a freed and reused address is never given the wrong name;
 * pass NULL to skip the comparison. 0; -ESTALE: another code object is there now; -EINVAL: not a
 * code object; errors of mem__read.
 */
int py_code__read(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		  const uint32_t *check, struct py_code **out);
void py_code__free(struct py_code *code);

/*
 * Line of an instruction; offset: bytes from the start of the code object, as in struct ct_frame. A
 * frame that has not started is on the function's first line. 0 if the instruction has no line (the
 * compiler made it up), lies outside the bytecode, or the table is malformed.
 */
uint32_t py_code__line(const struct py_code *code, const struct py_offsets *off, uint32_t offset);

/* The 3.11+ location table alone: unit is an index of 2-byte code units; < 0: not started (the
 * first line). Never reads past len; a table that is malformed up to that unit gives 0. */
uint32_t py_location_table__line(const uint8_t *table, size_t len, uint32_t first_line, long unit);

#endif
