/* SPDX-License-Identifier: MIT */
/*
 * Copies over time: by cause, and for each process, in buckets of equal width. The width doubles
 * when the trace outgrows its buckets, so that memory is bounded and a second is as well drawn as a
 * week.
 */
#ifndef COWTRACE_MODEL_HISTORY_H
#define COWTRACE_MODEL_HISTORY_H

#include <stdint.h>

#include "model/cause.h"

#define HISTORY_BUCKETS 240
/* Processes with a series of their own; the copies of others are in the totals only. */
#define HISTORY_SERIES 512
#define HISTORY_NONE   UINT64_MAX

struct history;

/* One process. */
struct history_series {
	uint64_t copied[HISTORY_BUCKETS]; /* bytes in each bucket */
	uint64_t fresh[HISTORY_BUCKETS];  /* newly allocated bytes it had then, or HISTORY_NONE */
};

/* 0 or -ENOMEM. Times are ns, CLOCK_MONOTONIC; start: what time 0 of the first bucket is. */
int history__new(struct history **out);
void history__free(struct history *history);

/* The first call with a time sets the start; earlier times count as it. */
void history__begin(struct history *history, uint64_t time);

/* A series for a process, owned by the history; NULL: it has enough of them, or no memory. */
struct history_series *history__series(struct history *history);

/* series may be NULL. */
void history__copied(struct history *history, struct history_series *series, uint64_t time,
		     enum cause cause, uint64_t bytes);
void history__fresh(struct history *history, struct history_series *series, uint64_t time,
		    uint64_t bytes);

uint64_t history__width(const struct history *history); /* ns of one bucket */
const uint64_t *history__by_cause(const struct history *history, enum cause cause);

#endif
