/* SPDX-License-Identifier: MIT */
#include "base/intern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

struct entry {
	UT_hash_handle hh;
	char text[];
};

struct intern {
	struct entry *entries;
};

int intern__new(struct intern **out)
{
	struct intern *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	*out = pool;
	return 0;
}

void intern__free(struct intern *pool)
{
	struct entry *entry, *next;

	if (!pool)
		return;
	HASH_ITER (hh, pool->entries, entry, next) {
		HASH_DEL(pool->entries, entry);
		free(entry);
	}
	free(pool);
}

const char *intern__str(struct intern *pool, const char *s)
{
	struct entry *entry = NULL;
	size_t len;

	if (!s)
		return NULL;
	len = strlen(s);
	HASH_FIND(hh, pool->entries, s, len, entry);
	if (entry)
		return entry->text;
	entry = malloc(sizeof(*entry) + len + 1);
	if (!entry)
		hash__no_memory(); /* the callers have no way to go on without the string */
	memcpy(entry->text, s, len + 1);
	HASH_ADD_KEYPTR(hh, pool->entries, entry->text, len, entry);
	return entry->text;
}
