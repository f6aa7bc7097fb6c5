/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel knows of a page and of whose memory it is. */
#ifndef COWTRACE_BPF_PAGE_H
#define COWTRACE_BPF_PAGE_H

/* What the kernel has of a page: to read all of it takes little more than to read a member. */
struct page_image {
	u64 words[8];
};

#define PAGE_WORD(image, type, offset) (*(const type *)((const u8 *)(image)->words + (offset)))
#define PAGE_MEMBER(image, type, member)                                                           \
	PAGE_WORD(image, type, bpf_core_field_offset(struct page, member))

static __always_inline void page__read(struct page_image *image, const struct page *page)
{
	u64 size = bpf_core_type_size(struct page);

	bpf_probe_read_kernel(image->words,
			      size < sizeof(image->words) ? size : sizeof(image->words), page);
}

static __always_inline u8 page__origin(const struct page_image *head)
{
	u64 mapping = PAGE_MEMBER(head, u64, mapping);

	if ((mapping & PAGE_MAPPING_FLAGS) == PAGE_MAPPING_FLAGS)
		return CT_ORIGIN_KSM;
	return mapping & PAGE_MAPPING_ANON ? CT_ORIGIN_FORK : CT_ORIGIN_FILE;
}

static __always_inline bool page__is_large(const struct page_image *head)
{
	u64 flags = PAGE_WORD(head, u64, 0); /* always the first word */

	return flags >> bpf_core_enum_value(enum pageflags, PG_head) & 1;
}

/*
 * The page tables that map a page; 0: not known, as with a page that is shared with others through
 * the swap only. Those that map the whole of a large page are counted at its head (in struct folio
 * since 6.2; before, a page that was mapped in both ways was counted twice).
 */
static __always_inline u16 page__sharers(s32 mapcount, const struct page_image *head,
					 struct folio *folio)
{
	s32 n = mapcount + 1;

	if (page__is_large(head)) {
		if (!bpf_core_field_exists(folio->_entire_mapcount))
			return 0;
		n += BPF_CORE_READ(folio, _entire_mapcount.counter) + 1;
	}
	return n < 2 ? 0 : n > 0xffff ? 0xffff : n;
}

/* Not inline: its callers have deep stacks, of which there are 512 bytes for all. */
static __noinline void page__look(struct page *page, u8 *origin, u16 *sharers)
{
	struct page_image image = {};
	struct page *head;
	s32 mapcount;

	page__read(&image, page);
	mapcount = PAGE_MEMBER(&image, s32, _mapcount.counter);
	head = page__head(page, PAGE_WORD(&image, u64, page__info_offset()));
	if (head != page)
		page__read(&image, head);
	*origin = page__origin(&image);
	*sharers = page__sharers(mapcount, &image, (void *)head);
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
