/* SPDX-License-Identifier: MIT */
/*
 * Which pages were copied, and what broke them: one word for each page address, whatever the number
 * of processes that copied theirs. After PAGES_MAX addresses new ones are only counted.
 */
#ifndef COWTRACE_MODEL_PAGES_H
#define COWTRACE_MODEL_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "model/cause.h"

#define PAGES_MAX (1u << 20)

struct pages;

/* One page: its number (address / page size), how many copies were made of it (up to 4095), and the
 * cause of the first one. As one word it sorts by address. */
typedef uint64_t page_word;

static inline uint64_t page__number(page_word word)
{
	return word >> 16;
}

static inline unsigned int page__copies(page_word word)
{
	return word >> 4 & 0xfff;
}

static inline enum cause page__cause(page_word word)
{
	return (enum cause)(word & 15);
}

/* 0 or -ENOMEM. */
int pages__new(struct pages **out);
void pages__free(struct pages *pages);

/* This one will be added in a moment: begins to fetch what is known of it. */
void pages__expect(const struct pages *pages, uint64_t number);
/* name: of the mapping that it lies in, interned by the caller. Out of memory: the page is counted
 * as beyond. */
void pages__add(struct pages *pages, uint64_t number, enum cause cause, const char *name);

struct page {
	page_word word;
	uint32_t name; /* index into names */
};

/* Sorted by address; allocated, for the caller to free. NULL: none, or no memory. */
struct page *pages__sorted(const struct pages *pages, size_t *n);
/* Names of mappings, valid as long as nothing is added. */
const char *const *pages__names(const struct pages *pages, size_t *n);
uint64_t pages__beyond(const struct pages *pages); /* copies of pages that found no room */

#endif
