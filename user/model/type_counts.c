/* SPDX-License-Identifier: MIT */
#include "model/type_counts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A row at once for the first ones; for the others, with one copy of so many. */
#define FIRST_ROWS 16
#define SHARE	   64
/* Types that wait for a row. A program can make types without end: these are a cache. */
#define WAITING 1024

struct waiting {
	uint64_t hash; /* 0: free */
	uint64_t copies;
};

struct type_counts {
	struct group_type rows[GROUPS_TYPES + 1]; /* the row after the last one is of the others */
	size_t n;
	uint64_t copies; /* of all */
	struct waiting waiting[WAITING];
};

static void end_rows(struct type_counts *t, uint64_t others)
{
	t->rows[t->n] = (struct group_type){.name = "other", .copies = others};
}

int type_counts__new(struct type_counts **out)
{
	struct type_counts *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	end_rows(t, 0);
	*out = t;
	return 0;
}

void type_counts__free(struct type_counts *types)
{
	free(types);
}

static uint64_t hash_of(const char *name, size_t len)
{
	uint64_t hash = 14695981039346656037ull; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 1099511628211ull;
	return hash | 1;
}

/* How many copies of it have been seen without a row. Its place may have been another's. */
static uint64_t wait(struct type_counts *t, uint64_t hash)
{
	struct waiting *w = &t->waiting[(hash >> 32) % WAITING];

	if (w->hash != hash)
		*w = (struct waiting){.hash = hash};
	return ++w->copies;
}

static bool deserves_row(struct type_counts *t, uint64_t hash)
{
	uint64_t seen;

	if (t->n < FIRST_ROWS)
		return true;
	if (t->n == GROUPS_TYPES)
		return false;
	seen = wait(t, hash);
	return seen >= SHARE && seen * SHARE > t->copies;
}

static void add_row(struct type_counts *t, const char *name, size_t len)
{
	uint64_t others = t->rows[t->n].copies;
	struct group_type *row = &t->rows[t->n];

	memcpy(row->name, name, len);
	row->name[len] = '\0';
	row->copies = 1;
	t->n++;
	end_rows(t, others);
}

void type_counts__add(struct type_counts *t, const char *name)
{
	size_t len = strlen(name);

	if (len >= GROUP_NAME) { /* not in the middle of a character */
		len = GROUP_NAME - 1;
		while (len && (name[len] & 0xc0) == 0x80)
			len--;
	}
	t->copies++;
	for (size_t i = 0; i < t->n; i++) {
		if (strncmp(t->rows[i].name, name, len) == 0 && !t->rows[i].name[len]) {
			t->rows[i].copies++;
			return;
		}
	}
	/* A type of the program's may be called "other", too. */
	if (strcmp(name, "other") != 0 && deserves_row(t, hash_of(name, len)))
		add_row(t, name, len);
	else
		t->rows[t->n].copies++;
}

const struct group_type *type_counts__rows(const struct type_counts *t, size_t *n)
{
	*n = t->n + 1;
	return t->rows;
}
