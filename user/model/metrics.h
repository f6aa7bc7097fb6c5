/* SPDX-License-Identifier: MIT */
/* What a page of metrics says, as plain data: DESIGN 8, and how cowtrace itself is doing. */
#ifndef COWTRACE_MODEL_METRICS_H
#define COWTRACE_MODEL_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include <cowtrace/abi.h>

#include "model/groups.h"

/* How the search for a Python in a program has ended. */
#define LAYOUT_RESULTS(X)                                                                          \
	X(RESOLVED, "resolved")                                                                    \
	X(UNSUPPORTED, "unsupported")                                                              \
	X(INVALID, "invalid")                                                                      \
	X(FORBIDDEN, "forbidden")                                                                  \
	X(UNREADABLE, "unreadable")

enum layout_result {
#define X(id, name) LAYOUT_##id,
	LAYOUT_RESULTS(X)
#undef X
		LAYOUT_MAX,
};

struct metrics {
	const char *version, *witness;
	uint32_t page_size;
	const struct group *groups; /* GROUPS_MAX of them */
	const struct group_type *types;
	size_t n_types;
	uint64_t lost[CT_LOST_MAX];
	uint64_t names_lost, corrections_lost; /* records besides those of copies */
	uint64_t retracted;		       /* the kernel counts them all the same */
	/* Of itself: */
	uint64_t groups_retired;
	uint64_t events;	      /* records that the kernel side has sent */
	uint64_t layouts[LAYOUT_MAX]; /* programs, by how the search has ended */
	uint64_t folded;	      /* copies whose site or stack found no room in the profiles */
	uint64_t renewals;	      /* how often it has forgotten what it knew, for memory */
	uint64_t http_starts;
	uint64_t scrapes;
	double scrape_seconds;
	double cpu_seconds, start_time; /* since 1970 */
	uint64_t resident_bytes, open_fds, max_fds;
};

#endif
