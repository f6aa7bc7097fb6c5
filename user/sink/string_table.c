/* SPDX-License-Identifier: MIT */
#include "sink/string_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sink/escape.h"

#define FIRST_SLOTS 1024 /* a power of two */

struct string_table {
	char **strings;
	uint32_t *slots; /* open addressing: number + 1, 0 is free */
	size_t n, n_slots;
};

int string_table__new(struct string_table **out)
{
	struct string_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->n_slots = FIRST_SLOTS;
	table->slots = calloc(table->n_slots, sizeof(*table->slots));
	table->strings = calloc(table->n_slots, sizeof(*table->strings));
	if (!table->slots || !table->strings) {
		string_table__free(table);
		return -ENOMEM;
	}
	*out = table;
	return 0;
}

void string_table__free(struct string_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n; i++)
		free(table->strings[i]);
	free(table->strings);
	free(table->slots);
	free(table);
}

/* FNV-1a */
static uint64_t hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return h;
}

/* The slot of s, or the free one where it belongs; at most half of them are taken. */
static uint32_t *find(const struct string_table *table, const char *s)
{
	size_t at = hash(s) & (table->n_slots - 1);

	while (table->slots[at] && strcmp(table->strings[table->slots[at] - 1], s) != 0)
		at = (at + 1) & (table->n_slots - 1);
	return &table->slots[at];
}

static int grow(struct string_table *table)
{
	size_t n_slots = table->n_slots * 2;
	char **strings = realloc(table->strings, n_slots * sizeof(*strings));
	uint32_t *slots;

	if (!strings)
		return -ENOMEM;
	table->strings = strings;
	slots = calloc(n_slots, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(table->slots);
	table->slots = slots;
	table->n_slots = n_slots;
	for (size_t i = 0; i < table->n; i++)
		*find(table, strings[i]) = (uint32_t)i + 1;
	return 0;
}

int string_table__add(struct string_table *table, const char *s, uint32_t *number)
{
	_free_ char *shown = escape__dup(s);
	uint32_t *slot;

	if (!shown || (table->n * 2 >= table->n_slots && grow(table)))
		return -ENOMEM;
	slot = find(table, shown);
	if (!*slot) {
		table->strings[table->n++] = TAKE_PTR(shown);
		*slot = (uint32_t)table->n;
	}
	*number = *slot - 1;
	return 0;
}

size_t string_table__count(const struct string_table *table)
{
	return table->n;
}

const char *string_table__get(const struct string_table *table, size_t number)
{
	return table->strings[number];
}
