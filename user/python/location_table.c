// SPDX-License-Identifier: MIT
/*
 * co_linetable of 3.11 and later (Objects/locations.md). Entries of one or more bytes; only the
 * first has bit 7 set: bits 3-6 are the code, bits 0-2 the length in code units less one.
 */
#include "python/code.h"

#include <limits.h>

enum {
	ENTRY_BIT = 0x80,
	CODE_ONE_LINE_0 = 10, /* 10, 11, 12: 0, 1, 2 lines on */
	CODE_ONE_LINE_2 = 12,
	CODE_NO_COLUMNS = 13, /* signed line delta follows */
	CODE_LONG = 14,	      /* the same, then columns */
	CODE_NO_LOCATION = 15,
};

struct cursor {
	const uint8_t *at, *end;
};

/* 6 bits in each byte, low ones first; bit 6: more follow. */
static bool read_varint(struct cursor *c, uint32_t *out)
{
	uint64_t value = 0;
	uint8_t byte;

	for (unsigned int shift = 0; shift < 36; shift += 6) {
		if (c->at == c->end || *c->at & ENTRY_BIT)
			return false;
		byte = *c->at++;
		value |= (uint64_t)(byte & 0x3f) << shift;
		if (byte & 0x40)
			continue;
		*out = value;
		return value <= UINT32_MAX;
	}
	return false;
}

/* Lines from the last entry to this one. */
static bool read_delta(struct cursor *c, unsigned int code, int64_t *delta)
{
	uint32_t raw;

	*delta = 0;
	if (code >= CODE_ONE_LINE_0 && code <= CODE_ONE_LINE_2)
		*delta = code - CODE_ONE_LINE_0;
	if (code != CODE_NO_COLUMNS && code != CODE_LONG)
		return true;
	if (!read_varint(c, &raw))
		return false;
	*delta = raw & 1 ? -(int64_t)(raw >> 1) : (int64_t)(raw >> 1);
	return true;
}

static void skip_entry(struct cursor *c)
{
	while (c->at < c->end && !(*c->at & ENTRY_BIT))
		c->at++;
}

static uint32_t valid_line(int64_t line)
{
	return line > 0 && line <= INT_MAX ? (uint32_t)line : 0;
}

uint32_t py_location_table__line(const uint8_t *table, size_t len, uint32_t first_line, long unit)
{
	struct cursor c = {table, table + len};
	int64_t line = first_line, delta;

	if (unit < 0)
		return valid_line(line);
	/* At most 2^22 deltas of 31 bits: the sum can not overflow. */
	while (c.at < c.end && len <= PY_LINE_TABLE_MAX) {
		uint8_t head = *c.at++;
		unsigned int code = head >> 3 & 0xf;

		if (!(head & ENTRY_BIT) || !read_delta(&c, code, &delta))
			return 0;
		line += delta;
		unit -= (head & 7) + 1;
		if (unit < 0)
			return code == CODE_NO_LOCATION ? 0 : valid_line(line);
		skip_entry(&c);
	}
	return 0;
}
