/* SPDX-License-Identifier: MIT */
#include "python/keys.h"

#include "python/offsets.h"
#include "python/raw.h"

/* Objects/dict-common.h, 3.8 to 3.10: size is a word of its own. */
#define OLD_SIZE  8
#define OLD_INDEX 40
/* Include/internal/pycore_dict.h, 3.11 to 3.15. */
#define LOG2_SIZE	 8
#define LOG2_INDEX_BYTES 9
#define KIND		 10
#define KIND_SPLIT	 2
#define NEW_INDEX	 32

#define LOG2_MIN 3
#define LOG2_MAX 40

/* USABLE_FRACTION(n): entries that a table of that many slots has room for, 3.8 to 3.15. */
static uint64_t usable_fraction(uint64_t size)
{
	return (size << 1) / 3;
}

/* 3.11+ keeps log2 of the bytes of the hash table as well: 1, 2, 4 or 8 bytes a slot. */
static bool is_index_size(unsigned int log2_size, unsigned int log2_bytes)
{
	unsigned int width = log2_size < 8 ? 0 : log2_size < 16 ? 1 : log2_size < 32 ? 2 : 3;

	return log2_bytes == log2_size + width;
}

static bool counts_fit(const uint8_t *head, uint32_t usable, uint64_t size)
{
	uint64_t refs = raw__u64(head, 0);
	uint64_t left = raw__u64(head, usable), entries = raw__u64(head, usable + 8);
	uint64_t room = usable_fraction(size);

	return refs && refs < 1ull << 32 && left <= room && entries <= room &&
	       left + entries <= room;
}

static bool parse_old(const struct py_offsets *off, const uint8_t *head, struct py_keys *out)
{
	uint64_t size = raw__u64(head, OLD_SIZE);

	if (size < 1u << LOG2_MIN || size > 1ull << LOG2_MAX || size & (size - 1))
		return false;
	*out = (struct py_keys){.size = size, .index = OLD_INDEX, .bytes = OLD_INDEX + size};
	return counts_fit(head, off->keys_usable, size);
}

bool py_keys__parse(const struct py_offsets *off, const uint8_t head[PY_KEYS_HEAD],
		    struct py_keys *out)
{
	unsigned int log2_size = head[LOG2_SIZE];

	if (off->keys_usable == PY_NO_OFFSET || off->keys_usable > PY_KEYS_HEAD - 16)
		return false;
	if (off->keys_version == PY_NO_OFFSET)
		return parse_old(off, head, out);
	if (log2_size < LOG2_MIN || log2_size > LOG2_MAX || head[KIND] > KIND_SPLIT ||
	    !is_index_size(log2_size, head[LOG2_INDEX_BYTES]))
		return false;
	*out = (struct py_keys){
		.size = 1ull << log2_size,
		.shared = head[KIND] == KIND_SPLIT,
		.index = NEW_INDEX,
		.bytes = NEW_INDEX + (1ull << head[LOG2_INDEX_BYTES]),
	};
	return counts_fit(head, off->keys_usable, out->size);
}
