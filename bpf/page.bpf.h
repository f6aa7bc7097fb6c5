/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel knows of a page and of whose memory it is. */
#ifndef COWTRACE_BPF_PAGE_H
#define COWTRACE_BPF_PAGE_H

static __always_inline u8 page__origin(struct page *page)
{
	u64 mapping = (u64)BPF_CORE_READ(page__head(page), mapping);

	if ((mapping & PAGE_MAPPING_FLAGS) == PAGE_MAPPING_FLAGS)
		return CT_ORIGIN_KSM;
	return mapping & PAGE_MAPPING_ANON ? CT_ORIGIN_FORK : CT_ORIGIN_FILE;
}

static __always_inline bool page__is_large(struct page *head)
{
	u64 flags = 0;

	bpf_probe_read_kernel(&flags, sizeof(flags), head); /* always the first word */
	return flags >> bpf_core_enum_value(enum pageflags, PG_head) & 1;
}

/*
 * The page tables that map a page; 0: not known, as with a page that is shared with others through
 * the swap only. Those that map the whole of a large page are counted at its head (in struct folio
 * since 6.2; before, a page that was mapped in both ways was counted twice).
 */
static __always_inline u16 page__sharers(struct page *page)
{
	struct page *head = page__head(page);
	struct folio *folio = (void *)head;
	s32 n = BPF_CORE_READ(page, _mapcount.counter) + 1;

	if (page__is_large(head)) {
		if (!bpf_core_field_exists(folio->_entire_mapcount))
			return 0;
		n += BPF_CORE_READ(folio, _entire_mapcount.counter) + 1;
	}
	return n < 2 ? 0 : n > 0xffff ? 0xffff : n;
}

/* The process whose memory it is; mm is a number. */
static __always_inline u32 mm__process(u64 mm)
{
	struct mm_struct *of = (void *)mm;
	struct task_struct *owner;

	if (!bpf_core_field_exists(of->owner)) /* CONFIG_MEMCG */
		return CT_VICTIM_UNKNOWN;
	owner = BPF_CORE_READ(of, owner);
	return owner ? BPF_CORE_READ(owner, tgid) : CT_VICTIM_UNKNOWN;
}

#endif
