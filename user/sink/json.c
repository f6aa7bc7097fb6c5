/* SPDX-License-Identifier: MIT */
/* The contract of DESIGN 7, in its order; keys that are not there are additions. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "model/snapshot.h"
#include "sink/json.h"
#include "sink/json_value.h"
#include "sink/sink.h"
#include "sink/words.h"

#define SCHEMA 1

/* --- values: every one of them can be missing -------------------------------- */

static json_t *text(const char *s)
{
	return json__text(s);
}

static json_t *count(uint64_t n)
{
	return json__count(n);
}

static json_t *real(double value)
{
	return json_real(isfinite(value) ? value : 0);
}

static json_t *bytes(const struct snapshot *snap, uint64_t pages)
{
	return count(snapshot__bytes(snap, pages));
}

/* --- the parts --------------------------------------------------------------- */

json_t *json__host(const struct snapshot *snap)
{
	return json_pack("{s:o, s:o, s:o}", "kernel", text(snap->host.kernel), "machine",
			 text(snap->host.machine), "page_size", count(snap->host.page_size));
}

static json_t *lost_by_reason(const struct snapshot_capture *capture)
{
	json_t *object = json_object();

	for (size_t i = 0; i < CT_LOST_MAX; i++)
		json_object_set_new(object, words__lost(i), count(capture->lost_by_reason[i]));
	return object;
}

static json_t *capture_part(const struct snapshot *snap)
{
	const struct snapshot_capture *c = &snap->capture;

	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
		" s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"witness", text(c->witness), "seconds", real(c->seconds), "copies",
		count(c->copies), "copied_bytes", bytes(snap, c->pages), "reuses", count(c->reuses),
		"lost", count(c->lost), "lost_by_reason", lost_by_reason(c), "proven",
		count(c->proven), "kernel_copies", count(c->kernel_copies),
		/* additions */
		"kernel_reason", text(c->kernel_reason), "witness_limits", text(c->witness_limits),
		"stacks_cut", count(c->stacks_cut), "stacks_cut_reason", text(c->stacks_cut_reason),
		"stacks_missing", count(c->stacks_missing), "stacks_missing_reason",
		text(c->stacks_missing_reason), "witness_note", text(c->witness_note),
		"uncounted_by_kernel", count(c->uncounted), "kernel_beyond",
		text(c->kernel_beyond));
}

/* With what only recordings have that were cut. */
json_t *json__capture(const struct snapshot *snap)
{
	json_t *capture = capture_part(snap);

	if (capture && snap->capture.cut)
		json_object_set_new(capture, "cut", text(snap->capture.cut));
	return capture;
}

static json_t *process(const struct snapshot *snap, size_t i)
{
	const struct snapshot_process *p = &snap->processes[i];

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
			 " s:o, s:b, s:o, s:b, s:o, s:o, s:o, s:b, s:o}",
			 "pid", count(p->pid), "ppid", count(p->ppid), "command", text(p->command),
			 "python", text(p->python), "copies", count(p->copies), "copied_bytes",
			 bytes(snap, p->pages), "shared_at_fork_bytes", count(p->shared_at_fork),
			 "shared_now_bytes", count(p->shared_now), "new_bytes", count(p->new_bytes),
			 /* additions */
			 "python_problem", text(p->python_problem), "forked", p->forked,
			 "forked_at_seconds", real(p->forked_at), "exited", p->exited, "lost",
			 count(p->lost), "reuses", count(p->reuses), "children", count(p->children),
			 "attached", p->attached, "private_before_bytes", count(p->private_before));
}

static json_t *cause(const struct snapshot *snap, size_t i)
{
	const struct snapshot_cause *c = &snap->causes[i];

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "cause", text(c->cause), "detail",
			 text(c->detail), "origin", text(c->origin), "certainty",
			 text(c->certainty), "copies", count(c->copies), "copied_bytes",
			 bytes(snap, c->pages),
			 /* additions */
			 "processes", count(c->processes));
}

static json_t *type(const struct snapshot *snap, size_t i)
{
	const struct snapshot_type *t = &snap->types[i];

	return json_pack("{s:o, s:o, s:o, s:o}", "type", text(t->type), "cause", text(t->cause),
			 "copies", count(t->copies), "copied_bytes", bytes(snap, t->pages));
}

static json_t *site(const struct snapshot *snap, size_t i)
{
	const struct snapshot_site *s = &snap->sites[i];

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file", text(s->file),
			 "line", count(s->line), "function", text(s->function), "cause",
			 text(s->cause), "type", text(s->type), "copies", count(s->copies),
			 "copied_bytes", bytes(snap, s->pages),
			 /* additions */
			 "processes", count(s->processes), "source", text(s->source));
}

static json_t *detail(const struct snapshot *snap, size_t i)
{
	const struct snapshot_detail *d = &snap->details[i];

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file",
			 text(d->file), "line", count(d->line), "function", text(d->function),
			 "cause", text(d->cause), "type", text(d->type), "detail", text(d->detail),
			 "origin", text(d->origin), "certainty", text(d->certainty), "copies",
			 count(d->copies), "copied_bytes", bytes(snap, d->pages));
}

static json_t *foreign(const struct snapshot *snap, size_t i)
{
	const struct snapshot_foreign *f = &snap->foreign[i];

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pid", count(f->pid), "command",
			 text(f->command), "victim", count(f->victim ?: SNAPSHOT_UNKNOWN),
			 "victim_command", text(f->victim_command), "how", text(f->how), "copies",
			 count(f->copies), "copied_bytes", bytes(snap, f->pages));
}

static json_t *sharers(const struct snapshot *snap, size_t i)
{
	const struct snapshot_sharers *s = &snap->sharers[i];

	return json_pack("{s:o, s:o}", "sharers", count(s->sharers), "copies", count(s->copies));
}

static json_t *page_size(const struct snapshot *snap, size_t i)
{
	const struct snapshot_size *s = &snap->sizes[i];

	return json_pack("{s:o, s:o}", "bytes", count(s->bytes), "copies", count(s->copies));
}

static json_t *advice(const struct snapshot *snap, size_t i)
{
	const struct snapshot_advice *a = &snap->advice[i];

	return json_pack("{s:o, s:o, s:o}", "rule", text(a->rule), "text", text(a->text),
			 "bytes_per_process_upper_bound", count(a->bytes_per_process));
}

static json_t *array(const struct snapshot *snap, size_t n,
		     json_t *(*item)(const struct snapshot *snap, size_t i))
{
	json_t *items = json_array();

	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(items, item(snap, i))) {
			json_decref(items);
			return NULL;
		}
	}
	return items;
}

static size_t at_most(size_t n, size_t limit)
{
	return n < limit ? n : limit;
}

json_t *json__processes(const struct snapshot *snap, size_t limit)
{
	return array(snap, at_most(snap->n_processes, limit), process);
}

json_t *json__causes(const struct snapshot *snap, size_t limit)
{
	return array(snap, at_most(snap->n_causes, limit), cause);
}

json_t *json__types(const struct snapshot *snap, size_t limit)
{
	return array(snap, at_most(snap->n_types, limit), type);
}

json_t *json__sites(const struct snapshot *snap, size_t limit)
{
	return array(snap, at_most(snap->n_sites, limit), site);
}

static json_t *document(const struct snapshot *snap)
{
	return json_pack(
		"{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
		SCHEMA, "version", text(snap->version), "host", json__host(snap), "capture",
		json__capture(snap), "processes", array(snap, snap->n_processes, process), "causes",
		array(snap, snap->n_causes, cause), "types", array(snap, snap->n_types, type),
		"sites", array(snap, snap->n_sites, site), "advice",
		array(snap, snap->n_advice, advice),
		/* additions */
		"details", array(snap, snap->n_details, detail), "foreign",
		array(snap, snap->n_foreign, foreign), "sharers",
		array(snap, snap->n_sharers, sharers), "page_sizes",
		array(snap, snap->n_sizes, page_size));
}

static int json__write(const struct snapshot *snap, const struct sink_options *opt, FILE *out)
{
	json_t *root = document(snap);

	(void)opt;
	if (root && snap->comparison &&
	    json_object_set_new(root, "baseline", json__baseline(snap, SIZE_MAX))) {
		json_decref(root);
		root = NULL;
	}
	return json__finish(root, out);
}

const struct sink sink_json = {.name = "json", .write = json__write};
