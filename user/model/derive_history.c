/* SPDX-License-Identifier: MIT */
/* The parts of a view over time and over addresses. */
#include <errno.h>
#include <stdlib.h>

#include "model/counts.h"

static uint32_t last_used(const uint64_t *buckets, uint64_t unused)
{
	uint32_t n = HISTORY_BUCKETS;

	while (n && buckets[n - 1] == unused)
		n--;
	return n;
}

static uint32_t max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t buckets_reached(const struct aggregate *agg, const struct derived *out, size_t n)
{
	uint32_t reached = 0;

	for (int i = 0; i < CAUSE_MAX; i++)
		reached = max(reached, last_used(history__by_cause(agg->history, i), 0));
	for (size_t i = 0; i < n; i++)
		reached = max(reached, last_used(out->series[i].fresh, HISTORY_NONE));
	return reached;
}

static int order_series(const void *a, const void *b)
{
	const struct snapshot_series *x = a, *y = b;

	return compare_number(x->process, y->process);
}

static int make_series(const struct aggregate *agg, struct derived *out)
{
	struct snapshot_history *view = &out->view.history;

	out->series = calloc(agg->n_ledgers + 1, sizeof(*out->series));
	if (!out->series)
		return -ENOMEM;
	for (const struct pid_slot *slot = agg->pids; slot; slot = slot->hh.next)
		for (const struct ledger *l = slot->newest; l; l = l->older) {
			if (!l->series) {
				view->uncharted += l->copies > 0;
				continue;
			}
			out->series[view->n_series++] = (struct snapshot_series){
				.process = l->row,
				.copied = l->series->copied,
				.fresh = l->series->fresh,
			};
		}
	qsort(out->series, view->n_series, sizeof(*out->series), order_series);
	view->series = out->series;
	return 0;
}

int history__make(const struct aggregate *agg, struct derived *out)
{
	struct snapshot_history *view = &out->view.history;
	struct snapshot_map *map = &out->view.map;

	if (make_series(agg, out))
		return -ENOMEM;
	out->by_cause = calloc(CAUSE_MAX, sizeof(*out->by_cause));
	if (!out->by_cause)
		return -ENOMEM;
	for (int i = 0; i < CAUSE_MAX; i++)
		out->by_cause[i] = history__by_cause(agg->history, i);
	view->seconds = history__width(agg->history) / 1e9;
	view->n = buckets_reached(agg, out, view->n_series);
	view->n_causes = CAUSE_MAX;
	view->by_cause = out->by_cause;
	map->pages = out->map = pages__sorted(agg->map, &map->n);
	map->names = pages__names(agg->map, &map->n_names);
	map->beyond = pages__beyond(agg->map);
	return 0;
}
