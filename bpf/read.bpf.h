/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads of the traced process: they never fault a page in, and what fails is zero. */
#ifndef COWTRACE_BPF_READ_H
#define COWTRACE_BPF_READ_H

/*
 * The first 64 KiB are never mapped, nor, in practice, are addresses that two small numbers side by
 * side look like (of a pool's header).
 */
#define USER_START 0x10000UL
#define SMALL_HIGH (0x5000UL << 32)

static __always_inline u64 hash__mix(u64 hash, u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15UL;
	return hash ^ hash >> 29;
}

/* The verifier wants to see the bound of every offset into the scratch buffer. */
static __always_inline u64 scratch__u64(const u8 *scratch, u32 offset)
{
	return *(const u64 *)(scratch + (offset & (SCRATCH_SIZE - 1 - 7)));
}

static __always_inline u32 scratch__u32(const u8 *scratch, u32 offset)
{
	return *(const u32 *)(scratch + (offset & (SCRATCH_SIZE - 1 - 3)));
}

static __always_inline u64 user__u64(u64 addr)
{
	u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)addr);
	return value;
}

/* Could be that of an object; a read that fails costs as much as a fault. */
static __always_inline bool user__plausible(u64 addr)
{
	return addr % 8 == 0 && addr >= USER_START && addr < USER_END &&
	       !(addr >> 32 && addr < SMALL_HIGH && (u32)addr < USER_START);
}

/*
 * The smaller one, in a form that the verifier follows: the compiler may otherwise check one
 * register and pass another.
 */
static __always_inline u64 bound(u64 value, u64 max)
{
	asm volatile("" : "+r"(value));
	if (value > max)
		value = max;
	asm volatile("" : "+r"(value));
	return value;
}

#endif
