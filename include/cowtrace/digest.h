/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Digests of code objects (struct ct_frame, `check`) and types (struct ct_copy, `type_check`), the
 * same on both sides of the ring buffer.
 */
#ifndef COWTRACE_DIGEST_H
#define COWTRACE_DIGEST_H

#include <linux/types.h>

/* Bytes of the line table (after its size) that are part of the digest up to 3.11. */
#define CT_TABLE_WORDS 4

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

/* What of a word of the line table lies within its size: behind a short one is the next object. */
static inline __attribute__((always_inline)) __u64 ct_digest__cut(__u64 word, __u64 size, __u64 at)
{
	if (size >= at + 8)
		return word;
	return size > at ? word & ((1ULL << 8 * (size - at)) - 1) : 0;
}

/* Bytes of a string, in words, that stand in for its hash. */
#define CT_STR_WORDS 4

/*
 * A str object: its hash; ~0 means that none has been computed (up to 3.12 file names and qualified
 * names are not interned), then its size in bytes and its last bytes. tail: these, or all of a
 * shorter string and what is behind it.
 */
static inline __attribute__((always_inline)) __u32 ct_str_digest(__u64 hash, __u64 size,
								 const __u64 tail[CT_STR_WORDS])
{
	__u64 state = ct_digest__mix(0x9e3779b97f4a7c15ULL, hash);

	if (hash != ~0ULL)
		return (__u32)state;
	state = ct_digest__mix(state, size);
	state = ct_digest__mix(state, ct_digest__cut(tail[0], size, 0));
	state = ct_digest__mix(state, ct_digest__cut(tail[1], size, 8));
	state = ct_digest__mix(state, ct_digest__cut(tail[2], size, 16));
	return (__u32)ct_digest__mix(state, ct_digest__cut(tail[3], size, 24));
}

/*
 * A freed code object's address, and those of its names, are soon used again, with the same
 * pointers in the same places: pointers alone would not tell one from the other. So the digest
 * takes in
 * - the words of the code object that ct_pylayout.code_words names (pointers, first line; from
 *   3.12 on co_version, which is unique for each code object of an interpreter: but its siblings,
 *   forked from the same parent, give the same numbers);
 * - strings: ct_str_digest() of its name, and in the upper half that of its file name;
 * - the size of the line table and its first bytes.
 * words, strings and table: missing ones are 0.
 */
static inline __attribute__((always_inline)) __u32
ct_code_digest(const __u64 words[6], __u64 strings, const __u64 table[1 + CT_TABLE_WORDS])
{
	__u64 state = ct_digest__mix(0x9e3779b97f4a7c15ULL, strings);

	state = ct_digest__mix(state, words[0]);
	state = ct_digest__mix(state, words[1]);
	state = ct_digest__mix(state, words[2]);
	state = ct_digest__mix(state, words[3]);
	state = ct_digest__mix(state, words[4]);
	state = ct_digest__mix(state, words[5]);
	state = ct_digest__mix(state, table[0]);
	state = ct_digest__mix(state, ct_digest__cut(table[1], table[0], 0));
	state = ct_digest__mix(state, ct_digest__cut(table[2], table[0], 8));
	state = ct_digest__mix(state, ct_digest__cut(table[3], table[0], 16));
	return (__u32)ct_digest__mix(state, ct_digest__cut(table[4], table[0], 24));
}

/* Bytes of a type's name, in words, the last of them NUL: the name of the next type at this address
 * may be where the name of this one was. */
#define CT_TYPE_NAME_WORDS 2
/* tp_flags, 3.8 to 3.15: Py_TPFLAGS_HEAPTYPE. */
#define CT_TYPE_HEAP (1ULL << 9)

/*
 * name: tp_name, a pointer; text: what is there, as bpf_probe_read_user_str() has it. Of a type
 * without CT_TYPE_HEAP it is left out (0): such a type never goes, so neither does its name, which
 * lies in the file of a library. In a process that was just forked those pages are not mapped, and
 * the kernel side could not read what the daemon can.
 */
static inline __attribute__((always_inline)) __u32
ct_type_digest(__u64 name, __u64 basicsize, __u64 flags, const __u64 text[CT_TYPE_NAME_WORDS])
{
	/* Py_TPFLAGS_VALID_VERSION_TAG (bit 19) comes and goes. */
	__u64 state = ct_digest__mix(0x9e3779b97f4a7c15ULL, flags & ~(1ULL << 19));

	state = ct_digest__mix(state, basicsize);
	state = ct_digest__mix(state, text[0]);
	state = ct_digest__mix(state, text[1]);
	return (__u32)ct_digest__mix(state, name);
}

#endif
