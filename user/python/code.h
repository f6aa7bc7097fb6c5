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
	/* Instructions and (3.11+) inline caches: co_code_adaptive, up to 3.10 the data of co_code,
	 * which lie outside of the code object; 0 if they could not be found. */
	uint64_t bytecode, bytecode_end;
	uint64_t end; /* of the code object */
	uint32_t first_line;
	bool cut;	/* names or line table are only as far as the chunks have them */
	bool table_cut; /* ... the line table */
	/* 3.13+: no instruction of it can be traced. It is the frame that the interpreter pushes to
	 * check what an inlined __init__() returns; Python itself shows no such frame. It has no
	 * names here. */
	bool trampoline;
	char *file;	     /* co_filename, valid UTF-8, bounded; owned */
	char *function;	     /* co_qualname, up to 3.10 co_name; likewise */
	uint8_t *line_table; /* NULL: longer than PY_LINE_TABLE_MAX */
	size_t line_table_len;
};

/* Longest line table that is read, bytes. */
#define PY_LINE_TABLE_MAX (4u << 20)

/*
 * Reads the code object at address. check: the digest that BPF took of it (struct ct_frame),
 * compared with what is read before and after, so that a freed and reused address is never given
 * the wrong name; pass NULL to skip the comparison. 0; -ESTALE: another code object is there now;
 * -EINVAL: not a code object; errors of mem__read.
 *
 * If mem has chunks, the code object is read from them alone: they are what BPF saw. Only types are
 * asked of the processes, and believed if those are gone.
 */
int py_code__read(const struct mem_source *mem, const struct py_offsets *off, uint64_t address,
		  const uint32_t *check, struct py_code **out);
void py_code__free(struct py_code *code);

/*
 * Line of an instruction; offset as in struct ct_frame: bytes from the start of the code object, up
 * to 3.10 from the start of the bytecode. A frame that has not started is on the function's first
 * line. 0 if the instruction has no line (the compiler made it up), lies outside the bytecode, or
 * the table is malformed.
 */
uint32_t py_code__line(const struct py_code *code, const struct py_offsets *off, uint32_t offset);

/*
 * The tables alone. Never read past len; what is malformed up to the place asked for gives 0.
 * offset: bytes of bytecode; unit: index of its 2-byte code units, < 0: not started (the first
 * line). cut: the table goes on behind len.
 */
uint32_t py_lnotab__line(const uint8_t *table, size_t len, bool cut, uint32_t first_line,
			 uint32_t offset); /* 3.8, 3.9 */
uint32_t py_line_table__line(const uint8_t *table, size_t len, uint32_t first_line,
			     uint32_t offset); /* 3.10 */
uint32_t py_location_table__line(const uint8_t *table, size_t len, uint32_t first_line,
				 long unit); /* 3.11+ */

#endif
