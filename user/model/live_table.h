/* SPDX-License-Identifier: MIT */
/* A table of a live view, with a bound. Private to live*.c. */
#ifndef COWTRACE_MODEL_LIVE_TABLE_H
#define COWTRACE_MODEL_LIVE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Out of memory: the element is not added, and what it counts goes to the others. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "model/live.h"
#include "model/ticks.h"

/* Strings are interned: told apart by pointer. No padding: it is hashed as bytes. */
struct site_key {
	const char *file, *function, *type;
	uint32_t line;
	uint16_t cause;
	uint16_t kernel;
};

_Static_assert(sizeof(struct site_key) == 3 * sizeof(void *) + 8, "hashed: no padding");

struct site {
	struct site_key key;
	struct ticks n;
	UT_hash_handle hh;
};

struct live_sites {
	struct site *by_key; /* hash */
	struct site *last;
	struct ticks others;
	uint64_t n_others;
	struct live_row *rows; /* of the view */
};

void live_sites__free(struct live_sites *sites);
void live_sites__add(struct live_sites *sites, const struct site_key *key, uint64_t tick,
		     struct live_sum n);
/* 0 or -ENOMEM. Valid until the next one. */
int live_sites__view(struct live_sites *sites, uint64_t first, uint64_t end,
		     struct live_table *out);

#endif
