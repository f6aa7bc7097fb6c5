/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The digest of a code object (struct ct_frame, `check`), the same on both sides of the ring
 * buffer.
 */
#ifndef COWTRACE_DIGEST_H
#define COWTRACE_DIGEST_H

#include <linux/types.h>

/* co_filename, co_name, co_qualname, co_linetable: four pointers in a row, see ct_pylayout. */
#define CT_CODE_NAMES 4

/*
 * Each step is a bijection of the state for a given pointer, so that code objects that differ in
 * one pointer only differ before the final cut to 32 bits. Unrolled: the verifier need not see a
 * loop.
 */
static inline __attribute__((always_inline)) __u64 ct_digest__mix(__u64 state, __u64 word)
{
	state = (state ^ word) * 0xff51afd7ed558ccdULL;
	return state ^ (state >> 32);
}

static inline __attribute__((always_inline)) __u32 ct_code_digest(__u64 filename, __u64 name,
								  __u64 qualname, __u64 linetable)
{
	__u64 state = ct_digest__mix(0x9e3779b97f4a7c15ULL, filename);

	state = ct_digest__mix(state, name);
	state = ct_digest__mix(state, qualname);
	return (__u32)ct_digest__mix(state, linetable);
}

#endif
