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

/* --- the same, if it can be, by way of the kernel's own map of memory --- */

/*
 * Before the first span of a program. What it learns of page tables it may keep as long as it runs
 * if nobody but this thread has the memory (mm_users): then nobody unmaps any, and no table is
 * freed but the last one, which the kernel may replace.
 */
static __always_inline void direct__begin(struct thread *t, struct task_struct *task)
{
	struct mm_struct *mm;

	if (!cfg_direct)
		return;
	mm = PEEK(task__plain(task), mm);
	t->pgd = (u64)PEEK(mm, pgd);
	t->alone = PEEK(mm, mm_users.counter) == 1;
	t->run++;
}

/* The entry of the table of 2 MiB around addr. */
static __always_inline u64 thread__table(struct thread *t, u64 addr)
{
	u64 number = addr >> 21;
	struct region *memo = &t->regions[number & (REGIONS - 1)];

	if (memo->number == number && memo->run == t->run)
		return memo->table;
	memo->table = table__find(cfg_direct, cfg_five_levels, t->pgd, addr);
	memo->number = number;
	memo->run = t->alone ? t->run : 0;
	return memo->table;
}

/* The span of len bytes from addr on, one at a time; false: they are to be read otherwise. */
static __always_inline bool span__open(struct thread *t, u64 addr, u64 len)
{
	if (!t->pgd || addr >= USER_END || (addr & (PAGE_SIZE - 1)) + len > PAGE_SIZE)
		return false;
	return span__find(&t->span, cfg_direct, thread__table(t, addr), addr);
}

/* Keeps a word in the scratch buffer, where a read of all that is there would have put it. */
static __always_inline void span__keep(struct thread *t, u32 offset)
{
	offset &= SCRATCH_SIZE - 1 - 7;
	*(u64 *)(t->scratch + offset) = span__u64(&t->span, offset);
}

/* A small number of words; dst is as large. False: they are to be read otherwise. */
static __always_inline bool span__read(struct thread *t, void *dst, const u32 size, u64 addr)
{
	u64 *words = dst;

	if (!span__open(t, addr, size))
		return false;
	for (u32 i = 0; i < size / 8; i++)
		words[i] = span__u64(&t->span, 8 * i);
	return span__held(&t->span);
}

/* A word of this thread's memory; false, and 0: it is not there. */
static __always_inline bool thread__read(struct thread *t, u64 addr, u64 *value)
{
	if (span__open(t, addr, sizeof(*value))) {
		*value = span__u64(&t->span, 0);
		if (span__held(&t->span))
			return true;
	}
	return !bpf_probe_read_user(value, sizeof(*value), (void *)addr);
}

/* An int, which does not lie across two words. */
static __always_inline u32 thread__u32(struct thread *t, u64 addr)
{
	u64 word;

	thread__read(t, addr & ~7UL, &word);
	return word >> 8 * (addr & 4);
}

static __always_inline u64 thread__u64(struct thread *t, u64 addr)
{
	u64 value;

	thread__read(t, addr, &value);
	return value;
}

#endif
