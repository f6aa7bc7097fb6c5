/* SPDX-License-Identifier: MIT */
/* Little-endian words of a block that was read from a process; the caller knows that they lie in
 * it. */
#ifndef COWTRACE_PYTHON_RAW_H
#define COWTRACE_PYTHON_RAW_H

#include <stdint.h>
#include <string.h>

static inline uint64_t raw__u64(const uint8_t *block, uint32_t offset)
{
	uint64_t word;

	memcpy(&word, block + offset, sizeof(word));
	return word;
}

static inline uint32_t raw__u32(const uint8_t *block, uint32_t offset)
{
	uint32_t word;

	memcpy(&word, block + offset, sizeof(word));
	return word;
}

#endif
