/* SPDX-License-Identifier: MIT */
#include "python/mimalloc.h"

#include <errno.h>

#include "proc/mem.h"
#include "python/offsets.h"

/* MI_SEGMENT_SIZE, MI_SEGMENT_SLICE_SIZE: 3.13t to 3.15t (Include/internal/mimalloc/types.h). */
#define SEGMENT_SIZE (32ull << 20)
#define SLICE_SHIFT  16
#define SLICES	     512

/* A page is described at its first slice; the descriptors of the others say how far back it is. */
static int page__find(const struct mem_source *mem, const struct py_offsets *off, uint64_t segment,
		      uint64_t slice, uint64_t *page, uint64_t *first)
{
	uint64_t slices = segment + off->mimalloc_segment_slices;
	uint32_t back;
	int err;

	*page = slices + slice * off->mimalloc_page_size;
	err = mem__read_u32(mem, *page + off->mimalloc_page_slice_offset, &back);
	if (err)
		return err;
	if (back % off->mimalloc_page_size || back / off->mimalloc_page_size > slice)
		return -ENOENT;
	*page -= back;
	*first = slice - back / off->mimalloc_page_size;
	return 0;
}

/* 3.13t: u32 xblock_size; 3.14t and later: u64. */
static int block__size(const struct mem_source *mem, const struct py_offsets *off, uint64_t page,
		       uint64_t *size)
{
	uint32_t half;
	int err;

	if (off->version >= 0x030e)
		return mem__read_u64(mem, page + off->mimalloc_page_block_size, size);
	err = mem__read_u32(mem, page + off->mimalloc_page_block_size, &half);
	*size = half;
	return err;
}

int mimalloc__find(const struct mem_source *mem, const struct py_offsets *off, uint64_t addr,
		   struct mi_block *out)
{
	uint64_t segment = addr & ~(SEGMENT_SIZE - 1), slice = (addr - segment) >> SLICE_SHIFT;
	uint64_t page, first, start;
	int err;

	*out = (struct mi_block){};
	if (off->mimalloc_segment_slices == PY_NO_OFFSET || slice >= SLICES)
		return -ENOENT;
	/* The descriptors themselves: the segment's first slices hold no blocks. */
	if (addr < segment + off->mimalloc_segment_slices + SLICES * off->mimalloc_page_size) {
		out->metadata = true;
		out->start = segment;
	}
	err = page__find(mem, off, segment, slice, &page, &first);
	if (!err)
		err = block__size(mem, off, page, &out->size);
	if (!err)
		err = mem__read_u64(mem, page + off->mimalloc_page_free, &out->first_free);
	if (err || out->metadata)
		return err;
	if (out->size < 8 || out->size > SEGMENT_SIZE || first == 0)
		return -ENOENT;
	/* Blocks start at multiples of their size from the page's first slice. */
	start = segment + (first << SLICE_SHIFT);
	out->start = start + (addr - start) / out->size * out->size;
	return 0;
}
