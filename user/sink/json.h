/* SPDX-License-Identifier: MIT */
/* The tables of the JSON output, for other outputs that carry them. */
#ifndef COWTRACE_SINK_JSON_H
#define COWTRACE_SINK_JSON_H

#include <stddef.h>

#include <jansson.h>

struct snapshot;

/* The first rows of a table, at most limit; NULL: out of memory. New references. */
json_t *json__processes(const struct snapshot *snap, size_t limit);
json_t *json__causes(const struct snapshot *snap, size_t limit);
json_t *json__types(const struct snapshot *snap, size_t limit);
json_t *json__sites(const struct snapshot *snap, size_t limit);
json_t *json__capture(const struct snapshot *snap);
json_t *json__host(const struct snapshot *snap);
/* The comparison; limit: of rows in each table. */
json_t *json__baseline(const struct snapshot *snap, size_t limit);

#endif
