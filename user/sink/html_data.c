/* SPDX-License-Identifier: MIT */
/* What the script of the report works on: the tables of the JSON output, shortened, and the charts.
 */
#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "model/cause.h"
#include "model/pages.h"
#include "model/snapshot.h"
#include "sink/escape.h"
#include "sink/html.h"
#include "sink/json.h"

/* More rows than these nobody looks at, and every browser sorts in an instant. */
#define MAX_ROWS 3000

static json_t *numbers(const uint64_t *values, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, values[i] == SNAPSHOT_UNKNOWN
						    ? json_null()
						    : json_integer((json_int_t)values[i]));
	return list;
}

static json_t *series(const struct snapshot_history *history)
{
	json_t *list = json_array();

	for (size_t i = 0; i < history->n_series; i++) {
		const struct snapshot_series *s = &history->series[i];

		if (s->process < MAX_ROWS)
			json_array_append_new(
				list, json_pack("{s:i, s:o, s:o}", "process", (int)s->process,
						"copied", numbers(s->copied, history->n), "fresh",
						numbers(s->fresh, history->n)));
	}
	return list;
}

static json_t *by_cause(const struct snapshot_history *history)
{
	json_t *list = json_array();

	for (int c = 0; c < CAUSE_MAX; c++)
		json_array_append_new(list, numbers(history->by_cause[c], history->n));
	return list;
}

static json_t *history_part(const struct snapshot_history *history)
{
	return json_pack("{s:f, s:i, s:I, s:o, s:o}", "seconds", history->seconds, "n",
			 (int)history->n, "uncharted", (json_int_t)history->uncharted, "by_cause",
			 by_cause(history), "series", series(history));
}

static json_t *names(const struct snapshot_map *map)
{
	json_t *list = json_array();

	for (size_t i = 0; i < map->n_names; i++)
		json_array_append_new(list, json_string(map->names[i]) ?: json_string("?"));
	return list;
}

static json_t *map_part(const struct snapshot_map *map)
{
	unsigned int unit = 1;
	_free_ char *runs = html__map(map, &unit);

	return runs ? json_pack("{s:s, s:i, s:o, s:I}", "runs", runs, "unit", (int)unit, "names",
				names(map), "beyond", (json_int_t)map->beyond)
		    : NULL;
}

static json_t *cause_names(void)
{
	json_t *list = json_array();

	for (int c = 0; c < CAUSE_MAX; c++)
		json_array_append_new(list, json_string(cause__name(c)));
	return list;
}

static json_t *document(const struct snapshot *snap)
{
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o}", "page",
			 (int)snap->host.page_size, "cause_names", cause_names(), "capture",
			 json__capture(snap), "processes", json__processes(snap, MAX_ROWS),
			 "causes", json__causes(snap, MAX_ROWS), "types",
			 json__types(snap, MAX_ROWS), "sites", json__sites(snap, MAX_ROWS),
			 "n_sites", (json_int_t)snap->n_sites, "n_processes",
			 (json_int_t)snap->n_processes, "history", history_part(&snap->history),
			 "map", map_part(&snap->map));
}

/* Control characters and marks that reorder text are shown, not obeyed. */
static void escape_all(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach(value, key, item) escape_all(item);
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, item) escape_all(item);
	} else if (json_is_string(value)) {
		_free_ char *shown = escape__dup(json_string_value(value));

		json_string_set(value, shown ?: "?");
	}
}

/* In a script element, and in a comment in it, `<` alone can mean anything. */
static int put(const char *buffer, size_t size, void *data)
{
	FILE *out = data;

	for (size_t i = 0; i < size; i++) {
		if (buffer[i] == '<' || buffer[i] == '>' || buffer[i] == '&')
			fprintf(out, "\\u%04x", buffer[i]);
		else
			fputc(buffer[i], out);
	}
	return ferror(out) ? -1 : 0;
}

int html__data(const struct snapshot *snap, FILE *out)
{
	json_t *root = document(snap);
	int err;

	if (!root)
		return -ENOMEM;
	if (snap->comparison &&
	    json_object_set_new(root, "baseline", json__baseline(snap, MAX_ROWS))) {
		json_decref(root);
		return -ENOMEM;
	}
	escape_all(root);
	err = json_dump_callback(root, put, out,
				 JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
	json_decref(root);
	return err ? -EIO : 0;
}
