/* SPDX-License-Identifier: MIT */
#include "model/live_table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

void live_sites__free(struct live_sites *sites)
{
	struct site *site, *next;

	HASH_ITER (hh, sites->by_key, site, next) {
		HASH_DEL(sites->by_key, site);
		free(site);
	}
	free(sites->rows);
}

/* --- the bound --------------------------------------------------------------- */

/* Those first that have been quiet longest; of equals the ones with fewer copies. */
static int by_use(const void *a, const void *b)
{
	const struct site *x = *(const struct site *const *)a;
	const struct site *y = *(const struct site *const *)b;

	if (x->n.last != y->n.last)
		return x->n.last < y->n.last ? -1 : 1;
	return x->n.total.copies < y->n.total.copies ? -1 : x->n.total.copies > y->n.total.copies;
}

/* A quarter of the rows become one, so that this is not done for each new one. */
static void fold(struct live_sites *sites)
{
	_free_ struct site **all = calloc(LIVE_ROWS, sizeof(struct site *));
	size_t n = 0;

	if (!all)
		return;
	for (struct site *site = sites->by_key; site && n < LIVE_ROWS; site = site->hh.next)
		all[n++] = site;
	qsort(all, n, sizeof(struct site *), by_use);
	for (size_t i = 0; i < n / 4; i++) {
		ticks__merge(&sites->others, &all[i]->n);
		sites->n_others++;
		HASH_DEL(sites->by_key, all[i]);
		free(all[i]);
	}
	sites->last = NULL;
}

/* --- counting ---------------------------------------------------------------- */

static struct site *site__new(struct live_sites *sites, const struct site_key *key)
{
	struct site *site;

	if (HASH_COUNT(sites->by_key) >= LIVE_ROWS)
		fold(sites);
	if (HASH_COUNT(sites->by_key) >= LIVE_ROWS)
		return NULL;
	site = calloc(1, sizeof(*site));
	if (!site)
		return NULL;
	site->key = *key;
	HASH_ADD(hh, sites->by_key, key, sizeof(site->key), site);
	if (!site->hh.tbl) { /* see HASH_NONFATAL_OOM */
		free(site);
		return NULL;
	}
	return site;
}

/* NULL: no memory for one more. */
static struct site *site__of(struct live_sites *sites, const struct site_key *key)
{
	struct site *site = sites->last;

	if (site && memcmp(&site->key, key, sizeof(*key)) == 0)
		return site;
	HASH_FIND(hh, sites->by_key, key, sizeof(*key), site);
	if (!site)
		site = site__new(sites, key);
	if (site)
		sites->last = site;
	return site;
}

void live_sites__add(struct live_sites *sites, const struct site_key *key, uint64_t tick,
		     struct live_sum n)
{
	struct site *site = site__of(sites, key);

	ticks__add(site ? &site->n : &sites->others, tick, n);
}

static void fill_row(struct live_row *row, const struct site *site, uint64_t first, uint64_t end)
{
	*row = (struct live_row){
		.file = site->key.file,
		.line = site->key.line,
		.function = site->key.function,
		.kernel = site->key.kernel,
		.cause = (uint8_t)site->key.cause,
		.type = site->key.type,
		.n = ticks__counts(&site->n, first, end),
	};
}

int live_sites__view(struct live_sites *sites, uint64_t first, uint64_t end, struct live_table *out)
{
	size_t n = 0;

	free(sites->rows);
	sites->rows = calloc(HASH_COUNT(sites->by_key) + 1, sizeof(*sites->rows));
	if (!sites->rows)
		return -ENOMEM;
	for (const struct site *site = sites->by_key; site; site = site->hh.next)
		fill_row(&sites->rows[n++], site, first, end);
	*out = (struct live_table){
		.rows = sites->rows,
		.n = n,
		.others = ticks__counts(&sites->others, first, end),
		.n_others = sites->n_others,
	};
	return 0;
}
