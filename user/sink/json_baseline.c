/* SPDX-License-Identifier: MIT */
/* The comparison with an older run: the key "baseline", which README.md describes. */
#include <stdlib.h>

#include "model/compare.h"
#include "model/snapshot.h"
#include "sink/json.h"
#include "sink/json_value.h"
#include "sink/words.h"

/* What every row ends with; takes what tells it apart. */
static json_t *numbers(json_t *name, const struct comparison_row *row)
{
	json_t *values = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:b}", "older_copies",
		json__count(row->older.copies), "older_copied_bytes", json__count(row->older.bytes),
		"older_bytes_per_worker", json__count(row->older.per_worker), "newer_copies",
		json__count(row->newer.copies), "newer_copied_bytes", json__count(row->newer.bytes),
		"newer_bytes_per_worker", json__count(row->newer.per_worker),
		"change_bytes_per_worker", (json_int_t)row->change, "state",
		comparison__state_name(row->state), "significant", row->significant);

	if (values && name)
		json_object_update(name, values);
	json_decref(values);
	return name;
}

static json_t *cause(const struct comparison_row *row)
{
	return json_pack("{s:o}", "cause", json__text(row->cause));
}

static json_t *type(const struct comparison_row *row)
{
	return json_pack("{s:o, s:o}", "type", json__text(row->type), "cause",
			 json__text(row->cause));
}

static json_t *site(const struct comparison_row *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file", json__text(row->file),
			 "line", json__count(row->line), "function", json__text(row->function),
			 "cause", json__text(row->cause), "type", json__text(row->type),
			 "older_file", json__text(row->older_file), "older_line",
			 row->older_file ? json__count(row->older_line) : json_null(), "source",
			 json__text(row->source));
}

static json_t *process(const struct comparison_row *row)
{
	return json_pack("{s:o, s:b, s:o, s:o}", "command", json__text(row->command), "workers",
			 row->worker, "older_processes", json__count(row->older_processes),
			 "newer_processes", json__count(row->newer_processes));
}

static json_t *table(const struct comparison_table *table, size_t limit,
		     json_t *(*name)(const struct comparison_row *row))
{
	json_t *list = json_array();

	for (size_t i = 0; i < table->n && i < limit; i++)
		json_array_append_new(list, numbers(name(&table->rows[i]), &table->rows[i]));
	return list;
}

static json_t *remarks(const struct comparison *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n_remarks; i++)
		json_array_append_new(list, json_pack("{s:b, s:o}", "unfair", c->remarks[i].unfair,
						      "text", json__text(c->remarks[i].text)));
	return list;
}

static json_t *sentence(const struct comparison *c)
{
	char *words = words__change(c);
	json_t *value = json__text(words);

	free(words);
	return value;
}

json_t *json__baseline(const struct snapshot *snap, size_t limit)
{
	const struct comparison *c = snap->comparison;

	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"file", json__text(c->older_name), "version", json__text(c->older->version), "host",
		json__host(c->older), "capture", json__capture(c->older), "older_workers",
		json__count(c->older_workers), "newer_workers", json__count(c->newer_workers),
		"changed", c->any_significant, "sentence", sentence(c), "remarks", remarks(c),
		"total", numbers(json_object(), &c->total), "causes",
		table(&c->causes, limit, cause), "types", table(&c->types, limit, type), "sites",
		table(&c->sites, limit, site), "processes", table(&c->processes, limit, process),
		"older_worker", json__text(c->older_worker), "newer_worker",
		json__text(c->newer_worker));
}
