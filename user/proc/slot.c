/* SPDX-License-Identifier: MIT */
#include "proc/slot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proc/mem.h"

/* src/malloc/mallocng/meta.h: UNIT, IB; a block of more than that has a mapping of its own. */
#define UNIT   16
#define IN_USE 4
#define REACH  (128 * 1024)
#define PAGE   4096

/* struct meta */
#define META_MEM   16
#define META_MASKS 24
#define META_BITS  32

struct group {
	uint64_t base, stride;
	uint32_t masks[2]; /* blocks that are free, for now or for long */
	unsigned int last;
};

/* size_classes of malloc.c, in units. */
static const uint16_t classes[] = {
	1,   2,	  3,   4,    5,	   6,	 7,    8,    9,	   10,	 12,   15,   18,   20,	 25,   31,
	36,  42,  50,  63,   72,   84,	 102,  127,  146,  170,	 204,  255,  292,  340,	 409,  511,
	584, 682, 818, 1023, 1169, 1364, 1637, 2047, 2340, 2730, 3276, 4095, 4680, 5460, 6552, 8191,
};

static bool group__read(const struct mem_source *mem, uint64_t base, struct group *out)
{
	uint64_t meta, back, bits, maplen;
	unsigned int class;

	if (mem__read_u64(mem, base, &meta) || !meta || meta % 8 || meta >> 47 ||
	    mem__read_u64(mem, meta + META_MEM, &back) || back != base ||
	    mem__read(mem, meta + META_MASKS, out->masks, sizeof(out->masks)) ||
	    mem__read_u64(mem, meta + META_BITS, &bits))
		return false;
	out->base = base;
	out->last = bits & 31;
	class = bits >> 6 & 63;
	maplen = bits >> 12;
	if (!out->last && maplen)
		out->stride = maplen * PAGE - UNIT;
	else if (class < sizeof(classes) / sizeof(classes[0]))
		out->stride = (uint64_t)classes[class] * UNIT;
	else
		return false;
	return true;
}

/* What its caller got: not always the start of the slot, so that places are not used again at once.
 */
static int block_of(const struct mem_source *mem, const struct group *g, uint64_t addr,
		    struct chunk *out)
{
	uint64_t index = (addr - g->base - UNIT) / g->stride, start, end;
	uint8_t head[IN_USE];
	uint16_t skip;

	if (index > g->last)
		return -ENOENT;
	if ((g->masks[0] | g->masks[1]) >> index & 1)
		return -ESTALE;
	start = g->base + UNIT + index * g->stride;
	end = start + g->stride - IN_USE;
	if (mem__read(mem, start - IN_USE, head, sizeof(head)))
		return -ENOENT;
	memcpy(&skip, head + 2, sizeof(skip));
	if (head[1] == 7 << 5)
		start += (uint64_t)UNIT * skip;
	if (addr < start || addr >= end)
		return -ENOENT;
	*out = (struct chunk){.start = start, .size = end - start};
	return 0;
}

/* The group of a block at p, as the four bytes in front of it say. */
static uint64_t base_of(const uint8_t *p, uint64_t address)
{
	uint32_t units;
	uint16_t few;

	memcpy(&few, p - 2, sizeof(few));
	units = few;
	if (p[-4])
		memcpy(&units, p - 8, sizeof(units));
	return address - (uint64_t)UNIT * units - UNIT;
}

int slot__find(const struct mem_source *mem, uint64_t addr, const struct chunk_space *in,
	       struct chunk_scratch *scratch, struct chunk *out)
{
	const uint8_t *bytes = (const uint8_t *)scratch->words;
	uint64_t from = addr - addr % UNIT, first, last = 0;
	struct group group;
	int err;

	first = from - in->low > REACH ? from - REACH : in->low;
	if (addr < in->low || addr >= in->high || from < first + UNIT)
		return -ENOENT;
	err = mem__read(mem, first, scratch->words, from - first);
	if (err)
		return err;
	for (uint64_t p = from; p >= first + UNIT; p -= UNIT) {
		uint64_t base = base_of(bytes + (p - first), p);

		/* Zeroes name the 16 bytes before as the group: as a rule there are more zeroes. */
		if (base == last || base < in->low || base >= p ||
		    (base >= first && memcmp(bytes + (base - first), "\0\0\0\0\0\0\0\0", 8) == 0))
			continue;
		last = base;
		if (group__read(mem, base, &group) && addr - base - UNIT < group.stride * 32)
			return block_of(mem, &group, addr, out);
	}
	return -ENOENT;
}
