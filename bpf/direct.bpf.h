/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process has in its memory, read where the kernel has it: in its own map of all memory (the
 * direct map), by way of the process's page table. That takes a quarter of the time of
 * bpf_probe_read_user, which is most of what a walk costs. bpf_rdonly_cast makes plain loads of it,
 * which read zeroes where there is nothing (since 6.2, a35b9af4ec2c). For x86-64, in a build of its
 * own (CT_DIRECT), which is used where user/capture/direct.c has seen it read the right words.
 *
 * Unlike a read by the process's own addresses it does not mark the page as accessed: see
 * evidence__window.
 *
 * A span lies on one page and is good if the table says the same before and after: as long as a
 * process has a page, nobody else has it. Whatever is unusual (the page is not there, or not in
 * memory that the kernel maps; a gigantic page; the table has changed) is left to
 * bpf_probe_read_user: both read the same words or none.
 *
 * Tables that are freed meanwhile (another thread unmaps) can hold anything, but then what points
 * to them has changed, too. For both to be again what they were, memory must have been unmapped and
 * the same page frames mapped in the same place within these few instructions, in which this CPU
 * has to answer the others' request to forget what it knows of the page.
 */
#ifndef COWTRACE_BPF_DIRECT_H
#define COWTRACE_BPF_DIRECT_H

#include <cowtrace/direct.h>

/* A piece of a page. */
struct span {
	u64 at;		      /* where the kernel has it */
	u64 entry, was;	      /* the entry of the page table, and what it says */
	u64 table, table_was; /* and the one above, which says where that is */
};

#if defined(CT_DIRECT) && defined(__TARGET_ARCH_x86)

/* arch/x86/include/asm/pgtable_types.h */
#define ENTRY_WRITE   0x2UL
#define ENTRY_USER    0x4UL
#define ENTRY_HUGE    0x80UL
#define ENTRY_SPECIAL 0x200UL /* of a leaf: no struct page, so it may be no memory at all */
#define HUGE_MASK     ((1UL << 21) - 1)

#ifdef CT_DIRECT_BY_HELPER

static __always_inline u64 kernel__u64(u64 at)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)at);
	return value;
}

#define direct__u64 kernel__u64

#else

extern void *bpf_rdonly_cast(const void *obj, u32 type) __ksym;

/* 0 if there is nothing. */
static __always_inline u64 direct__u64(u64 at)
{
	const struct pt_regs *words =
		bpf_rdonly_cast((void *)at, bpf_core_type_id_kernel(struct pt_regs));

	return words->r15; /* the first one */
}

#endif

/* Where the entry for addr is in the table that `above` points to; 0: it points to none. */
static __always_inline u64 table__entry(u64 base, u64 above, u64 addr, u32 shift)
{
	u64 frame = above & PTE_PFN_MASK;

	if ((above & (PTE_PRESENT | ENTRY_HUGE)) != PTE_PRESENT || frame >= CT_DIRECT_MAX)
		return 0;
	return base + frame + (addr >> shift & 511) * 8;
}

/* What a leaf maps: its first byte; 0: nothing that is ours to read. */
static __always_inline u64 leaf__page(u64 base, u64 leaf, u64 mask)
{
	u64 frame = leaf & PTE_PFN_MASK & ~mask;

	if ((leaf & (PTE_PRESENT | ENTRY_USER)) != (PTE_PRESENT | ENTRY_USER) ||
	    leaf & ENTRY_SPECIAL || frame >= CT_DIRECT_MAX)
		return 0;
	return base + frame;
}

/*
 * Where the entry for addr is in the last table but one; 0: there is none. base: of the direct map.
 * pgd: of the process. five: there are five levels of tables. Seldom asked: once in the programs,
 * so that they are small.
 */
static __noinline u64 table__find(u64 base, bool five, u64 pgd, u64 addr)
{
	u64 at = pgd + (addr >> 39 & 511) * 8;

	if (five)
		at = table__entry(base, direct__u64(pgd + (addr >> 48 & 511) * 8), addr, 39);
	if (at)
		at = table__entry(base, direct__u64(at), addr, 30);
	if (at)
		at = table__entry(base, direct__u64(at), addr, 21);
	return at;
}

/* The span at addr; table: see table__find. */
static __always_inline bool span__find(struct span *s, u64 base, u64 table, u64 addr)
{
	u64 mask = HUGE_MASK, page;

	if (!table)
		return false;
	s->table = s->entry = table;
	s->table_was = s->was = direct__u64(table);
	if (!(s->was & ENTRY_HUGE)) {
		mask = PAGE_SIZE - 1;
		s->entry = table__entry(base, s->table_was, addr, 12);
		if (!s->entry)
			return false;
		s->was = direct__u64(s->entry);
	}
	page = leaf__page(base, s->was, mask);
	s->at = page + (addr & mask);
	return page;
}

static __always_inline u64 span__u64(const struct span *s, u64 offset)
{
	return direct__u64(s->at + offset);
}

/* Whoever has it may write to it: the page, not each table above, which the kernel leaves writable.
 */
static __always_inline bool span__writable(const struct span *s)
{
	return s->was & ENTRY_WRITE;
}

/* What has been read of it was there. */
static __always_inline bool span__held(const struct span *s)
{
	return direct__u64(s->entry) == s->was && direct__u64(s->table) == s->table_was;
}

#else

static __always_inline u64 table__find(u64 base, bool five, u64 pgd, u64 addr)
{
	return 0;
}

static __always_inline bool span__find(struct span *s, u64 base, u64 table, u64 addr)
{
	return false;
}

static __always_inline u64 span__u64(const struct span *s, u64 offset)
{
	return 0;
}

static __always_inline bool span__writable(const struct span *s)
{
	return false;
}

static __always_inline bool span__held(const struct span *s)
{
	return false;
}

#endif

#endif
