/* SPDX-License-Identifier: MIT */
#include "store/sites.h"

#include <errno.h>
#include <stdlib.h>

#include "store/memory.h"

struct key {
	const char *file, *function;
	uint64_t line;
};

struct site {
	struct key key;
	uint32_t id;
	UT_hash_handle hh;
};

struct sites {
	struct site *by_key;
};

int sites__new(struct sites **out)
{
	struct sites *sites = calloc(1, sizeof(*sites));

	if (!sites)
		return -ENOMEM;
	*out = sites;
	return 0;
}

void sites__free(struct sites *sites)
{
	struct site *site, *next;

	if (!sites)
		return;
	HASH_ITER (hh, sites->by_key, site, next) {
		HASH_DEL(sites->by_key, site);
		free(site);
	}
	free(sites);
}

uint32_t sites__id(struct sites *sites, const char *file, const char *function, uint32_t line,
		   bool *fresh)
{
	struct key key = {.file = file, .function = function, .line = line};
	struct site *site;

	HASH_FIND(hh, sites->by_key, &key, sizeof(key), site);
	*fresh = !site;
	if (site)
		return site->id;
	site = memory__get(sizeof(*site));
	site->key = key;
	site->id = HASH_COUNT(sites->by_key) + 1;
	HASH_ADD(hh, sites->by_key, key, sizeof(site->key), site);
	return site->id;
}
