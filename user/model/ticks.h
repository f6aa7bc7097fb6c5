/* SPDX-License-Identifier: MIT */
/* Sums over the last ticks, for one row. Private to live*.c. */
#ifndef COWTRACE_MODEL_TICKS_H
#define COWTRACE_MODEL_TICKS_H

#include <stdint.h>
#include <string.h>

#include "model/live.h"

struct ticks {
	struct live_sum total;
	uint64_t last;			   /* tick of the newest slot */
	struct live_sum slots[LIVE_TICKS]; /* of ticks last - LIVE_TICKS + 1 ... last */
};

static inline struct live_sum *ticks__slot(struct ticks *t, uint64_t tick)
{
	return &t->slots[tick % LIVE_TICKS];
}

static inline void sum__add(struct live_sum *to, const struct live_sum *n)
{
	to->copies += n->copies;
	to->pages += n->pages;
}

/* Makes tick the newest slot: what lies between is empty. */
static inline void ticks__move(struct ticks *t, uint64_t tick)
{
	uint64_t from = t->last + 1;

	if (tick <= t->last)
		return;
	if (tick - t->last >= LIVE_TICKS)
		from = tick - LIVE_TICKS + 1;
	for (uint64_t i = from; i <= tick; i++)
		*ticks__slot(t, i) = (struct live_sum){};
	t->last = tick;
}

static inline void ticks__add(struct ticks *t, uint64_t tick, struct live_sum n)
{
	ticks__move(t, tick);
	sum__add(ticks__slot(t, t->last), &n);
	sum__add(&t->total, &n);
}

/* The ticks from `first` on that are not `end` yet. */
static inline struct live_sum ticks__sum(const struct ticks *t, uint64_t first, uint64_t end)
{
	uint64_t oldest = t->last < LIVE_TICKS ? 0 : t->last - LIVE_TICKS + 1;
	struct live_sum sum = {};

	for (uint64_t i = first > oldest ? first : oldest; i < end && i <= t->last; i++)
		sum__add(&sum, &t->slots[i % LIVE_TICKS]);
	return sum;
}

/* Tick by tick: so no sum over seconds changes. */
static inline void ticks__merge(struct ticks *to, const struct ticks *from)
{
	uint64_t oldest = from->last < LIVE_TICKS ? 0 : from->last - LIVE_TICKS + 1;

	ticks__move(to, from->last);
	for (uint64_t i = oldest; i <= from->last; i++)
		if (i + LIVE_TICKS > to->last)
			sum__add(ticks__slot(to, i), &from->slots[i % LIVE_TICKS]);
	sum__add(&to->total, &from->total);
}

static inline struct live_counts ticks__counts(const struct ticks *t, uint64_t first, uint64_t end)
{
	return (struct live_counts){.total = t->total, .recent = ticks__sum(t, first, end)};
}

#endif
