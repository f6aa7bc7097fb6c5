/* SPDX-License-Identifier: MIT */
#include "model/history.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_WIDTH_NS 1000000u

struct history {
	bool begun;
	uint64_t start, width;
	uint64_t by_cause[CAUSE_MAX][HISTORY_BUCKETS];
	struct history_series *series[HISTORY_SERIES];
	size_t n;
};

int history__new(struct history **out)
{
	struct history *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->width = FIRST_WIDTH_NS;
	*out = h;
	return 0;
}

void history__free(struct history *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n; i++)
		free(h->series[i]);
	free(h);
}

void history__begin(struct history *h, uint64_t time)
{
	if (h->begun)
		return;
	h->begun = true;
	h->start = time;
}

struct history_series *history__series(struct history *h)
{
	struct history_series *s;

	if (h->n == HISTORY_SERIES)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	for (int i = 0; i < HISTORY_BUCKETS; i++)
		s->fresh[i] = HISTORY_NONE;
	return h->series[h->n++] = s;
}

/* Two buckets become one: what was counted is added, of what was measured the later one stays. */
static void fold_sums(uint64_t *buckets)
{
	for (int i = 0; i < HISTORY_BUCKETS / 2; i++)
		buckets[i] = buckets[2 * i] + buckets[2 * i + 1];
	memset(buckets + HISTORY_BUCKETS / 2, 0, sizeof(*buckets) * (HISTORY_BUCKETS / 2));
}

static void fold_last(uint64_t *buckets)
{
	for (int i = 0; i < HISTORY_BUCKETS; i++) {
		uint64_t late = 2 * i + 1 < HISTORY_BUCKETS ? buckets[2 * i + 1] : HISTORY_NONE;
		uint64_t early = 2 * i < HISTORY_BUCKETS ? buckets[2 * i] : HISTORY_NONE;

		buckets[i] = late != HISTORY_NONE ? late : early;
	}
}

static void history__widen(struct history *h)
{
	h->width *= 2;
	for (int i = 0; i < CAUSE_MAX; i++)
		fold_sums(h->by_cause[i]);
	for (size_t i = 0; i < h->n; i++) {
		fold_sums(h->series[i]->copied);
		fold_last(h->series[i]->fresh);
	}
}

static size_t history__bucket(struct history *h, uint64_t time)
{
	history__begin(h, time);
	if (time < h->start)
		return 0;
	/* Ends: each turn doubles the width, and 2^63 ns are more than any clock has. */
	while ((time - h->start) / h->width >= HISTORY_BUCKETS)
		history__widen(h);
	return (time - h->start) / h->width;
}

void history__copied(struct history *h, struct history_series *series, uint64_t time,
		     enum cause cause, uint64_t bytes)
{
	size_t bucket = history__bucket(h, time);

	h->by_cause[cause < CAUSE_MAX ? cause : CAUSE_UNKNOWN][bucket] += bytes;
	if (series)
		series->copied[bucket] += bytes;
}

void history__fresh(struct history *h, struct history_series *series, uint64_t time, uint64_t bytes)
{
	size_t bucket = history__bucket(h, time);

	if (series)
		series->fresh[bucket] = bytes;
}

uint64_t history__width(const struct history *h)
{
	return h->width;
}

const uint64_t *history__by_cause(const struct history *h, enum cause cause)
{
	return h->by_cause[cause];
}
