// SPDX-License-Identifier: MIT
// link: user/python/location_table.c
/* Any bytes as a location table: no read past the end, no line out of range, always an end. */
#include "python/code.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t first_line;
	int16_t unit;

	if (size < sizeof(first_line) + sizeof(unit))
		return 0;
	memcpy(&first_line, data, sizeof(first_line));
	memcpy(&unit, data + sizeof(first_line), sizeof(unit));
	data += sizeof(first_line) + sizeof(unit);
	size -= sizeof(first_line) + sizeof(unit);
	if (py_location_table__line(data, size, first_line, unit) > INT_MAX)
		abort();
	return 0;
}
