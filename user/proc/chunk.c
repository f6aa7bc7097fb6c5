/* SPDX-License-Identifier: MIT */
#include "proc/chunk.h"

#include <errno.h>
#include <string.h>

#include "proc/mem.h"

#define HEADER	       16
#define MIN_SIZE       32
#define PREV_INUSE     1
#define IS_MMAPPED     2
#define NON_MAIN_ARENA 4
#define FLAGS	       7
#define PAGE	       4096
/* How far back a header is looked for: most blocks are smaller, and the search must end. */
#define NEAR	   8192
#define STEPS	   24
#define PAGES_BACK 2048
#define JOINED	   64
/* Headers that must follow each other, each where the one before says. */
#define CHAIN 4
/* As many before it are proof enough; a large size, which leads to some true header sooner or
 * later, may be three letters of a text. */
#define LINKS	    3
#define LINKS_LARGE 2

struct search {
	uint64_t addr;
	uint64_t from, to;  /* where the block may start */
	uint64_t low, high; /* the mapping */
};

static uint64_t align(uint64_t addr)
{
	return addr & ~(uint64_t)(HEADER - 1);
}

static uint64_t back(uint64_t addr, uint64_t by, uint64_t low)
{
	return addr > low + by ? addr - by : low;
}

bool chunk__is_size(uint64_t word, uint64_t limit)
{
	uint64_t size = word & ~(uint64_t)FLAGS;

	return size >= MIN_SIZE && size % HEADER == 0 && size <= limit && !(word & IS_MMAPPED);
}

/* A free block before this one is said twice: by a flag, and by its size in the word before. */
static bool is_after(const struct mem_source *mem, uint64_t start, uint64_t word, uint64_t size)
{
	uint64_t before;

	if (word & PREV_INUSE)
		return true;
	return !mem__read_u64(mem, start - HEADER, &before) && before == size;
}

/* The one before is free, then: it has the size that is said between them. */
static bool is_behind_free(const struct mem_source *mem, uint64_t start, uint64_t low)
{
	uint64_t size, word;

	if (mem__read_u64(mem, start - HEADER, &size) || size % HEADER || size < MIN_SIZE ||
	    size > start - HEADER - low)
		return false;
	return !mem__read_u64(mem, start - size - 8, &word) && (word & ~(uint64_t)FLAGS) == size;
}

/*
 * Does a chain of headers start at the header of the block at `start`, which is in use? The last
 * chunk of a heap, the top, ends at its end.
 */
static bool is_chain(const struct mem_source *mem, uint64_t start, uint64_t low, uint64_t high)
{
	uint64_t size = 0, arena = 0;

	for (unsigned int i = 0; i < CHAIN; i++) {
		uint64_t word;

		if (start == high + HEADER)
			return i > 1; /* the top itself is not in use */
		if (start >= high || mem__read_u64(mem, start - 8, &word) ||
		    !chunk__is_size(word, high - start + HEADER))
			return false;
		if (i == 0 && !(word & PREV_INUSE) && !is_behind_free(mem, start, low))
			return false;
		if (i == 0)
			arena = word & NON_MAIN_ARENA;
		if ((word & NON_MAIN_ARENA) != arena || (i == 1 && !(word & PREV_INUSE)) ||
		    (i > 1 && !is_after(mem, start, word, size)))
			return false;
		size = word & ~(uint64_t)FLAGS;
		start += size;
	}
	return true;
}

/*
 * How many headers in a row lead to the place of each (begins: the first is where a heap begins): a
 * number in the middle of a block may look like a header, as the address of a type does in a
 * program that is not relocated, and even lead to a true one; but none leads to it.
 */
static void count_links(const uint64_t *words, size_t n, bool begins, uint8_t *links)
{
	memset(links, 0, n);
	links[0] = begins ? LINKS : 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t word = words[2 * i + 1], next = i + (word & ~(uint64_t)FLAGS) / HEADER;

		if (chunk__is_size(word, n * HEADER) && next < n && links[next] <= links[i])
			links[next] = links[i] < LINKS ? links[i] + 1 : LINKS;
	}
}

/*
 * Words from `first` on, by headers. The block that is best linked, of these the nearest. -ESTALE:
 * as good as any, but it is not in use.
 */
static int choose(const struct mem_source *mem, const struct chunk_scratch *scratch, uint64_t first,
		  const struct search *s, struct chunk *out)
{
	int best = -1, err = -ENOENT;

	for (uint64_t start = s->to; start >= s->from + HEADER && best < LINKS; start -= HEADER) {
		size_t i = (start - HEADER - first) / HEADER;
		uint64_t word = scratch->words[2 * i + 1], size = word & ~(uint64_t)FLAGS;
		int links = scratch->links[i];

		/* The word behind a block, the next one's prev_size, belongs to it as well. */
		if (links <= best || (size > NEAR && links < LINKS_LARGE) ||
		    !chunk__is_size(word, s->high - start + HEADER) || start + size - 8 <= s->addr)
			continue;
		if (is_chain(mem, start, s->low, s->high)) {
			*out = (struct chunk){.start = start, .size = size - 8};
			best = links;
			err = 0;
		} else if (links == LINKS) {
			return err ? -ESTALE : 0;
		}
	}
	return err;
}

/* Blocks that start in [from, to] and reach to addr. */
static int search(const struct mem_source *mem, struct search s, struct chunk_scratch *scratch,
		  struct chunk *out)
{
	uint64_t first = align(back(s.from, CHUNK_RUN_UP, s.low) + HEADER - 1);
	size_t n;
	int err;

	s.from = align(s.from + HEADER - 1);
	s.to = align(s.to);
	if (s.to < s.from + HEADER)
		return -ENOENT;
	n = (s.to - first) / HEADER;
	err = mem__read(mem, first, scratch->words, n * HEADER);
	if (err)
		return err;
	count_links(scratch->words, n, first == s.low, scratch->links);
	return choose(mem, scratch, first, &s, out);
}

/* The header of a mapping: nothing in its first word; the size is that of the mapping, since glibc
 * 2.43 without the header itself. */
static uint64_t mapped_size(const uint64_t words[2])
{
	uint64_t size = words[1] & ~(uint64_t)FLAGS;

	if (words[0] || (words[1] & FLAGS) != IS_MMAPPED || !size)
		return 0;
	if (size % PAGE == 0)
		return size;
	return (size + HEADER) % PAGE == 0 ? size + HEADER : 0;
}

static bool is_mapped(const struct mem_source *mem, uint64_t page, uint64_t high, uint64_t *size)
{
	uint64_t words[2];

	if (mem__read(mem, page, words, sizeof(words)))
		return false;
	*size = mapped_size(words);
	return *size && *size <= high - page;
}

/*
 * Blocks from 128 KiB on have a mapping of their own, but the kernel joins neighbouring ones. From
 * the start of what it has joined, one after the other; then back from addr.
 */
static int search_mapped(const struct mem_source *mem, uint64_t addr, uint64_t low, uint64_t high,
			 struct chunk *out)
{
	uint64_t page = low, size;
	unsigned int i;

	for (i = 0; i < JOINED && page <= addr && is_mapped(mem, page, high, &size); i++) {
		if (page + size > addr)
			goto found;
		page += size;
	}
	page = addr & ~(uint64_t)(PAGE - 1);
	for (i = 0; i < PAGES_BACK && page >= low; i++, page -= PAGE)
		if (is_mapped(mem, page, high, &size) && page + size > addr)
			goto found;
	return -ENOENT;
found:
	*out = (struct chunk){.start = page + HEADER, .size = size - HEADER, .mapped = true};
	return addr >= out->start ? 0 : -ENOENT;
}

int chunk__find(const struct mem_source *mem, uint64_t addr, const struct chunk_space *in, bool far,
		struct chunk_scratch *scratch, struct chunk *out)
{
	struct search s = {.addr = addr, .to = addr, .low = in->low, .high = in->high};
	int err;

	if (addr < in->low || addr >= in->high)
		return -ENOENT;
	s.from = back(addr, NEAR, in->low);
	err = search(mem, s, scratch, out);
	if (!far)
		return err;
	if (err == -ENOENT && !in->brk)
		err = search_mapped(mem, addr, in->low, in->high, out);
	for (unsigned int i = 0; i < STEPS && err == -ENOENT && s.from > in->low; i++) {
		s.to = s.from + HEADER;
		s.from = back(s.from, CHUNK_STEP, in->low);
		err = search(mem, s, scratch, out);
	}
	return err;
}
