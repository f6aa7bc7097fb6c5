// SPDX-License-Identifier: MIT
// link: user/python/lnotab.c
/* Any bytes as co_lnotab or as the co_linetable of 3.10: no read past the end, no line out of
 * range; and a table that was cut never says more than the whole one. */
#include "python/code.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t first, whole, part;
	uint16_t offset;

	if (size < sizeof(first) + sizeof(offset))
		return 0;
	memcpy(&first, data, sizeof(first));
	memcpy(&offset, data + sizeof(first), sizeof(offset));
	data += sizeof(first) + sizeof(offset);
	size -= sizeof(first) + sizeof(offset);
	whole = py_lnotab__line(data, size, false, first, offset);
	part = py_lnotab__line(data, size / 2, true, first, offset);
	expect(whole <= INT_MAX && (!part || part == whole));
	whole = py_line_table__line(data, size, first, offset);
	part = py_line_table__line(data, size / 2, first, offset);
	expect(whole <= INT_MAX && (!part || part == whole));
	return 0;
}
