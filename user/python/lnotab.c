// SPDX-License-Identifier: MIT
/*
 * co_lnotab of 3.8 and 3.9 (Objects/lnotab_notes.txt) and co_linetable of 3.10 (PEP 626). Both are
 * pairs of an unsigned byte, so many bytes of bytecode, and a signed one, so many lines.
 */
#include "python/code.h"

#include <limits.h>

/* 3.10: the bytecode of this pair has no line; later pairs count on from the line before it. */
#define NO_LINE (-128)

static uint32_t valid_line(int64_t line)
{
	return line > 0 && line <= INT_MAX ? (uint32_t)line : 0;
}

/* As PyCode_Addr2Line() of 3.8 and 3.9: a pair says how far the line before it goes; the last line
 * has no end, so that a table that was cut says nothing of what lies behind it. */
uint32_t py_lnotab__line(const uint8_t *table, size_t len, bool cut, uint32_t first_line,
			 uint32_t offset)
{
	int64_t line = first_line;
	uint64_t at = 0;
	size_t i;

	if (len > PY_LINE_TABLE_MAX)
		return 0;
	/* At most 2^21 deltas of a byte: neither sum can overflow. */
	for (i = 0; i + 1 < len; i += 2) {
		at += table[i];
		if (at > offset)
			return valid_line(line);
		line += (int8_t)table[i + 1];
	}
	return i == len && !cut ? valid_line(line) : 0;
}

/* As PyCode_Addr2Line() of 3.10: a pair is a piece of the bytecode and its line. */
uint32_t py_line_table__line(const uint8_t *table, size_t len, uint32_t first_line, uint32_t offset)
{
	int64_t line = first_line;
	uint64_t end = 0;

	for (size_t i = 0; i + 1 < len && len <= PY_LINE_TABLE_MAX; i += 2) {
		int delta = (int8_t)table[i + 1];

		end += table[i];
		if (delta != NO_LINE)
			line += delta;
		if (end > offset)
			return delta == NO_LINE ? 0 : valid_line(line);
	}
	return 0;
}
