/* SPDX-License-Identifier: MIT */
/* How many shared the pages that were copied, and how large those were. */
#include <errno.h>
#include <stdlib.h>

#include "model/counts.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static size_t count_used(const uint64_t *counters, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++)
		used += counters[i] != 0;
	return used;
}

/* Those of which it is not known are not among the sharers. */
static void fill_sharers(const struct aggregate *agg, struct derived *out)
{
	size_t n = 0;

	for (uint32_t i = 1; i < N(agg->sharers); i++)
		if (agg->sharers[i])
			out->sharers[n++] = (struct snapshot_sharers){i, agg->sharers[i]};
	out->view.sharers = out->sharers;
	out->view.n_sharers = n;
}

static void fill_sizes(const struct aggregate *agg, struct derived *out)
{
	size_t n = 0;

	for (unsigned int i = 0; i < N(agg->orders); i++)
		if (agg->orders[i])
			out->sizes[n++] = (struct snapshot_size){
				(uint64_t)out->view.host.page_size << i, agg->orders[i]};
	out->view.sizes = out->sizes;
	out->view.n_sizes = n;
}

int kinds__make(const struct aggregate *agg, struct derived *out)
{
	out->sharers = calloc(count_used(agg->sharers, N(agg->sharers)) + 1, sizeof(*out->sharers));
	out->sizes = calloc(N(agg->orders), sizeof(*out->sizes));
	if (!out->sharers || !out->sizes)
		return -ENOMEM;
	fill_sharers(agg, out);
	fill_sizes(agg, out);
	return 0;
}
