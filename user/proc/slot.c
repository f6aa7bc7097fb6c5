/* SPDX-License-Identifier: MIT */
#include "proc/slot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/address.h"
#include "proc/mem.h"

/* src/malloc/mallocng/meta.h: UNIT, IB; a block of more than that has a mapping of its own. */
#define UNIT   16
#define IN_USE 4
#define REACH  (64 * 1024)
#define PAGE   4096
/* Numbers that could name a group: no more of them are looked at for one address. */
#define MAX_LOOKS  64
#define PAGES_BACK 2048

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

	if (mem__read_u64(mem, base, &meta) || !meta || meta % 8 || meta >> ADDRESS_BITS ||
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

/* Is it worth a look? What was read already shows most of them to be none. */
static bool is_candidate(const uint8_t *bytes, uint64_t first, uint64_t base, uint64_t p,
			 const struct chunk_space *in, unsigned int *looks)
{
	uint64_t meta;

	if (base < in->low || base >= p || base % UNIT)
		return false;
	if (base < first)
		return (*looks)++ < MAX_LOOKS;
	memcpy(&meta, bytes + (base - first), sizeof(meta));
	return meta >= PAGE && meta % 8 == 0 && meta >> ADDRESS_BITS == 0 && (*looks)++ < MAX_LOOKS;
}

/* A large block is a group of its own, at the start of a mapping, which may be joined with others.
 */
static int find_large(const struct mem_source *mem, uint64_t addr, const struct chunk_space *in,
		      struct chunk *out)
{
	uint64_t page = addr & ~(uint64_t)(PAGE - 1), words[2];
	struct group group;

	for (unsigned int i = 0; i < PAGES_BACK && page >= in->low; i++, page -= PAGE) {
		if (mem__read(mem, page, words, sizeof(words)))
			return -ENOENT;
		if (words[0] && words[0] % 8 == 0 && words[0] >> ADDRESS_BITS == 0 && !words[1] &&
		    group__read(mem, page, &group))
			return block_of(mem, &group, addr, out);
	}
	return -ENOENT;
}

int slot__find(const struct mem_source *mem, uint64_t addr, const struct chunk_space *in, bool far,
	       struct chunk_scratch *scratch, struct chunk *out)
{
	const uint8_t *bytes = (const uint8_t *)scratch->words;
	uint64_t from = addr - addr % UNIT, first, last = 0;
	unsigned int looks = 0;
	struct group group;
	int err;

	if (addr < in->low || addr >= in->high)
		return -ENOENT;
	first = from - in->low > REACH ? from - REACH : in->low;
	err = mem__read(mem, first, scratch->words, from - first);
	if (err)
		return err;
	for (uint64_t p = from; p >= first + UNIT; p -= UNIT) {
		uint64_t base = base_of(bytes + (p - first), p);

		if (base == last || !is_candidate(bytes, first, base, p, in, &looks))
			continue;
		last = base;
		if (group__read(mem, base, &group))
			return block_of(mem, &group, addr, out);
	}
	return far ? find_large(mem, addr, in, out) : -ENOENT;
}
