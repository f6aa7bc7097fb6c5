/* SPDX-License-Identifier: MIT */
#include "model/pages.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024u
/* Mappings with other names than these are one. */
#define NAMES_MAX 1024u
/* 48 bits of a page number leave 16 for the rest; addresses of user space have 35 or 44 of them. */
#define NUMBER_MAX ((1ull << 48) - 1)

struct pages {
	struct page *slots; /* open addressing; word 0: free, as a page in use has a copy */
	size_t n_slots, n;
	uint64_t beyond;
	const char *names[NAMES_MAX];
	size_t n_names, last_name;
};

int pages__new(struct pages **out)
{
	struct pages *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->slots = calloc(FIRST_SLOTS, sizeof(*p->slots));
	if (!p->slots) {
		free(p);
		return -ENOMEM;
	}
	p->n_slots = FIRST_SLOTS;
	*out = p;
	return 0;
}

void pages__free(struct pages *p)
{
	if (!p)
		return;
	free(p->slots);
	free(p);
}

/* Where the page is, or the free slot that it would get. Neighbours, which are copied one after the
 * other, lie side by side: two cache lines of eight pages. */
static size_t place_of(uint64_t number, size_t n_slots)
{
	return ((number >> 3) * 0x9e3779b97f4a7c15ull >> 32 << 3 | (number & 7)) & (n_slots - 1);
}

static struct page *find(struct page *slots, size_t n_slots, uint64_t number)
{
	size_t at = place_of(number, n_slots);

	while (slots[at].word && page__number(slots[at].word) != number)
		at = (at + 1) & (n_slots - 1);
	return &slots[at];
}

static bool pages__grow(struct pages *p)
{
	struct page *slots = calloc(2 * p->n_slots, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slots[i].word)
			*find(slots, 2 * p->n_slots, page__number(p->slots[i].word)) = p->slots[i];
	free(p->slots);
	p->slots = slots;
	p->n_slots *= 2;
	return true;
}

/* Copies come in runs: the mapping of the last one is the one of most. */
static uint32_t pages__name(struct pages *p, const char *name)
{
	for (size_t i = 0; i < p->n_names; i++) {
		size_t at = (p->last_name + i) % p->n_names;

		if (p->names[at] == name)
			return (uint32_t)(p->last_name = at);
	}
	if (p->n_names == NAMES_MAX)
		return NAMES_MAX - 1;
	p->last_name = p->n_names;
	p->names[p->n_names] = p->n_names == NAMES_MAX - 1 ? "other memory" : name;
	return (uint32_t)p->n_names++;
}

/* For one more; slots move. */
static bool pages__make_room(struct pages *p)
{
	return p->n < PAGES_MAX && (4 * p->n < 3 * p->n_slots || pages__grow(p));
}

void pages__expect(const struct pages *p, uint64_t number)
{
	__builtin_prefetch(&p->slots[place_of(number, p->n_slots)], 1);
}

void pages__add(struct pages *p, uint64_t number, enum cause cause, const char *name)
{
	struct page *page = number > NUMBER_MAX ? NULL : find(p->slots, p->n_slots, number);

	if (page && !page->word)
		page = pages__make_room(p) ? find(p->slots, p->n_slots, number) : NULL;
	if (!page) {
		p->beyond++;
		return;
	}
	if (!page->word) {
		page->word = number << 16 | cause;
		page->name = pages__name(p, name);
		p->n++;
	}
	if (page__copies(page->word) < 0xfff)
		page->word += 1 << 4;
}

static int order_pages(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	return x->word < y->word ? -1 : x->word > y->word;
}

struct page *pages__sorted(const struct pages *p, size_t *n)
{
	struct page *pages = p->n ? malloc(p->n * sizeof(*pages)) : NULL;

	*n = 0;
	if (!pages)
		return NULL;
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slots[i].word)
			pages[(*n)++] = p->slots[i];
	qsort(pages, *n, sizeof(*pages), order_pages);
	return pages;
}

const char *const *pages__names(const struct pages *p, size_t *n)
{
	*n = p->n_names;
	return p->names;
}

uint64_t pages__beyond(const struct pages *p)
{
	return p->beyond;
}
