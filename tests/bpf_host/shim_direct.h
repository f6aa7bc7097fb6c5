/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own map of memory, and page tables in it, as x86-64 has them: a part of shim.h, to
 * be included by it only. What is in the pages is what bpf_probe_read_user finds there, too.
 */
#ifndef COWTRACE_TESTS_SHIM_DIRECT_H
#define COWTRACE_TESTS_SHIM_DIRECT_H

#ifdef CT_DIRECT
#define DIRECT true
#else
#define DIRECT false
#endif

#define SHIM_DIRECT 0xffff888000000000ul
#define SHIM_FRAMES 8192

static struct mm_struct shim_mm;

static struct shim_direct {
	uint8_t *frames[SHIM_FRAMES];  /* by number */
	uint64_t address[SHIM_FRAMES]; /* of the process; 0: it is a table, and this file's own */
	bool in_table;		       /* the last load was from one: the next one begins a span */
	size_t n_frames;
	uint64_t loads;
	/* What happens to tables before load number n, from 1 on. NULL: nothing. */
	void (*meanwhile)(uint64_t n);
	bool five_levels;
} shim_direct;

static inline uint64_t shim__frame(uint64_t address, uint8_t *bytes)
{
	size_t n = shim_direct.n_frames++;

	assert_true(n < SHIM_FRAMES);
	shim_direct.address[n] = address;
	shim_direct.frames[n] = bytes ? bytes : calloc(1, 4096);
	assert_non_null(shim_direct.frames[n]);
	return n * 4096;
}

static inline void shim__direct_reset(void)
{
	for (size_t i = 0; i < shim_direct.n_frames; i++)
		if (!shim_direct.address[i])
			free(shim_direct.frames[i]);
	memset(&shim_direct, 0, sizeof(shim_direct));
	shim__frame(0, NULL); /* frame 0 is nobody's */
#ifdef CT_DIRECT
	cfg_direct = SHIM_DIRECT;
	cfg_five_levels = false;
	shim_mm.pgd = (void *)(SHIM_DIRECT + shim__frame(0, NULL));
#endif
}

/* What the kernel has at an address of its map; what is not there is zero. */
static inline uint64_t *shim__direct_at(uint64_t at)
{
	static uint64_t nothing;
	uint64_t frame = (at - SHIM_DIRECT) / 4096;

	nothing = 0;
	if (at < SHIM_DIRECT || frame >= shim_direct.n_frames)
		return &nothing;
	return (uint64_t *)(shim_direct.frames[frame] + at % 4096);
}

/* The entry for an address in the table of a level: 12, 21, 30, 39 or 48; tables are made. */
static inline uint64_t *shim__entry(uint64_t address, unsigned int level)
{
	uint64_t table = (uintptr_t)shim_mm.pgd;
	unsigned int top = shim_direct.five_levels ? 48 : 39;
	uint64_t *entry;

	for (unsigned int shift = top;; shift -= 9) {
		entry = shim__direct_at(table + (address >> shift & 511) * 8);
		if (shift == level)
			return entry;
		if (!*entry)
			*entry = shim__frame(0, NULL) | 0x67;
		table = SHIM_DIRECT + (*entry & PTE_PFN_MASK);
	}
}

static inline void shim__direct_map(uint64_t address, uint8_t *bytes)
{
#ifdef CT_DIRECT
	*shim__entry(address, 12) =
		bytes ? shim__frame(address & ~4095ul, bytes) | 0x8000000000000067 : 0;
#else
	(void)address;
	(void)bytes;
#endif
}

#endif
