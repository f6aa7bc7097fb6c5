/* SPDX-License-Identifier: MIT */
#include "python/opcode.h"

#include <stddef.h>

/* Columns of opcodes.def. */
#define FIRST_VERSION 0x0308
#define VERSIONS      8

/* BINARY_OP's argument, 3.11 to 3.15: NB_INPLACE_ADD to NB_INPLACE_XOR (Include/opcode.h). */
#define INPLACE_FIRST 13
#define INPLACE_LAST  25

struct row {
	uint8_t kind;
	uint8_t numbers[VERSIONS];
};

static const struct row rows[] = {
#define OPCODE(kind_, name, ...) {.kind = PY_OPCODE_##kind_, .numbers = {__VA_ARGS__}},
#include "python/opcodes.def"
};

enum py_opcode_kind py_opcode__kind(uint32_t version, uint8_t opcode, uint8_t oparg)
{
	uint32_t column = version - FIRST_VERSION;

	if (column >= VERSIONS)
		return PY_OPCODE_UNKNOWN;
	for (size_t i = 0; opcode && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].numbers[column] != opcode)
			continue;
		if (rows[i].kind != PY_OPCODE_BINARY)
			return rows[i].kind;
		return oparg >= INPLACE_FIRST && oparg <= INPLACE_LAST ? PY_OPCODE_STORES
								       : PY_OPCODE_OTHER;
	}
	return PY_OPCODE_OTHER;
}
