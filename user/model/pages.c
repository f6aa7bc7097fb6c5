/* SPDX-License-Identifier: MIT */
#include "model/pages.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024u
#define REGIONS_MAX 1024u
/* 48 bits of a page number leave 16 for the rest; addresses of user space have 35 or 44 of them. */
#define NUMBER_MAX ((1ull << 48) - 1)

struct pages {
	page_word *slots; /* open addressing; 0: free, as a page in use has at least one copy */
	size_t n_slots, n;
	uint64_t beyond;
	struct pages_region regions[REGIONS_MAX];
	size_t n_regions, last_region;
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

/* Where the page is, or the free slot that it would get. */
static page_word *find(page_word *slots, size_t n_slots, uint64_t number)
{
	size_t at = (number * 0x9e3779b97f4a7c15ull >> 32) & (n_slots - 1);

	while (slots[at] && page__number(slots[at]) != number)
		at = (at + 1) & (n_slots - 1);
	return &slots[at];
}

static bool pages__grow(struct pages *p)
{
	page_word *slots = calloc(2 * p->n_slots, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slots[i])
			*find(slots, 2 * p->n_slots, page__number(p->slots[i])) = p->slots[i];
	free(p->slots);
	p->slots = slots;
	p->n_slots *= 2;
	return true;
}

/* Copies come in runs: the region of the last one is the one of most. */
static void pages__region(struct pages *p, const struct pages_region *region)
{
	for (size_t i = 0; i < p->n_regions; i++) {
		size_t at = (p->last_region + i) % p->n_regions;
		struct pages_region *known = &p->regions[at];

		if (known->start != region->start || known->name != region->name)
			continue;
		if (region->end > known->end) /* it has grown */
			known->end = region->end;
		p->last_region = at;
		return;
	}
	if (p->n_regions == REGIONS_MAX)
		return;
	p->last_region = p->n_regions;
	p->regions[p->n_regions++] = *region;
}

void pages__add(struct pages *p, uint64_t number, enum cause cause,
		const struct pages_region *region)
{
	page_word *slot;

	if (number > NUMBER_MAX) {
		p->beyond++;
		return;
	}
	slot = find(p->slots, p->n_slots, number);
	if (!*slot && (p->n >= PAGES_MAX || (2 * p->n >= p->n_slots && !pages__grow(p)))) {
		p->beyond++;
		return;
	}
	slot = find(p->slots, p->n_slots, number);
	if (!*slot) {
		*slot = number << 16 | cause;
		p->n++;
		if (region)
			pages__region(p, region);
	}
	if (page__copies(*slot) < 0xfff)
		*slot += 1 << 4;
}

static int order_words(const void *a, const void *b)
{
	page_word x = *(const page_word *)a, y = *(const page_word *)b;

	return x < y ? -1 : x > y;
}

page_word *pages__sorted(const struct pages *p, size_t *n)
{
	page_word *words = p->n ? malloc(p->n * sizeof(*words)) : NULL;

	*n = 0;
	if (!words)
		return NULL;
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slots[i])
			words[(*n)++] = p->slots[i];
	qsort(words, *n, sizeof(*words), order_words);
	return words;
}

static int order_regions(const void *a, const void *b)
{
	const struct pages_region *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

struct pages_region *pages__regions(const struct pages *p, size_t *n)
{
	struct pages_region *regions =
		p->n_regions ? malloc(p->n_regions * sizeof(*regions)) : NULL;

	*n = regions ? p->n_regions : 0;
	if (!regions)
		return NULL;
	memcpy(regions, p->regions, *n * sizeof(*regions));
	qsort(regions, *n, sizeof(*regions), order_regions);
	return regions;
}

uint64_t pages__beyond(const struct pages *p)
{
	return p->beyond;
}
