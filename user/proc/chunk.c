/* SPDX-License-Identifier: MIT */
#include "proc/chunk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "proc/mem.h"

#define HEADER	   16
#define MIN_SIZE   32
#define PREV_INUSE 1
#define IS_MMAPPED 2
#define FLAGS	   7
#define PAGE	   4096
/* How far back a header is looked for: most blocks are smaller, and the search must end. */
#define NEAR	   8192
#define FAR	   (128 * 1024)
#define PAGES_BACK 256
/* Headers that must follow each other, each where the one before says. */
#define CHAIN 3

bool chunk__is_size(uint64_t word, uint64_t limit)
{
	uint64_t size = word & ~(uint64_t)FLAGS;

	return size >= MIN_SIZE && size % HEADER == 0 && size <= limit && !(word & IS_MMAPPED);
}

/* Does a chain of headers start at the header of the block at `start`? The last chunk of a heap,
 * the top, ends at its end. */
static bool is_chain(const struct mem_source *mem, uint64_t start, uint64_t high)
{
	for (unsigned int i = 0; i < CHAIN; i++) {
		uint64_t word, limit = high - start + HEADER;

		if (start == high + HEADER)
			return i > 0;
		if (start >= high || mem__read_u64(mem, start - 8, &word) ||
		    !chunk__is_size(word, limit) || (i == 1 && !(word & PREV_INUSE)))
			return false;
		start += word & ~(uint64_t)FLAGS;
	}
	return true;
}

/* Headers in [from, addr], read at once; the nearest whose block reaches to addr. */
static int search(const struct mem_source *mem, uint64_t addr, uint64_t from, uint64_t high,
		  struct chunk *out)
{
	uint64_t first = (from + HEADER - 1) & ~(uint64_t)(HEADER - 1);
	uint64_t last = addr & ~(uint64_t)(HEADER - 1);
	_free_ uint64_t *words = NULL;
	int err;

	if (last < first + HEADER)
		return -ENOENT;
	words = malloc(last - first);
	if (!words)
		return -ENOMEM;
	err = mem__read(mem, first, words, last - first);
	if (err)
		return err;
	for (uint64_t start = last; start >= first + HEADER; start -= HEADER) {
		uint64_t word = words[(start - 8 - first) / 8], size = word & ~(uint64_t)FLAGS;

		/* The word behind a block, the next one's prev_size, belongs to it as well. */
		if (!chunk__is_size(word, high - start + HEADER) || start + size - 8 <= addr ||
		    !is_chain(mem, start, high))
			continue;
		*out = (struct chunk){.start = start, .size = size - 8};
		return 0;
	}
	return -ENOENT;
}

/* Blocks from 128 KiB on have a mapping of their own, but the kernel joins neighbouring ones. */
static int search_mapped(const struct mem_source *mem, uint64_t addr, uint64_t low, uint64_t high,
			 struct chunk *out)
{
	uint64_t page = addr & ~(uint64_t)(PAGE - 1), words[2];

	for (unsigned int i = 0; i < PAGES_BACK && page >= low; i++, page -= PAGE) {
		if (mem__read(mem, page, words, sizeof(words)))
			return -ENOENT;
		if (words[0] == 0 && (words[1] & FLAGS) == IS_MMAPPED &&
		    (words[1] & ~(uint64_t)FLAGS) % PAGE == 0 &&
		    words[1] - IS_MMAPPED <= high - page && page + words[1] - IS_MMAPPED > addr) {
			*out = (struct chunk){.start = page + HEADER,
					      .size = words[1] - IS_MMAPPED - HEADER,
					      .mapped = true};
			return addr >= out->start ? 0 : -ENOENT;
		}
	}
	return -ENOENT;
}

static uint64_t back(uint64_t addr, uint64_t by, uint64_t low)
{
	return addr > low + by ? addr - by : low;
}

int chunk__find(const struct mem_source *mem, uint64_t addr, uint64_t low, uint64_t high,
		struct chunk *out)
{
	int err;

	if (addr < low || addr >= high)
		return -ENOENT;
	err = search(mem, addr, back(addr, NEAR, low), high, out);
	if (err == -ENOENT)
		err = search_mapped(mem, addr, low, high, out);
	if (err == -ENOENT)
		err = search(mem, addr, back(addr, FAR, low), high, out);
	return err;
}
