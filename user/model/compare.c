/* SPDX-License-Identifier: MIT */
#include "model/compare.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "model/compare_parts.h"
#include "model/stack_table.h"

/* What a comparison owns. */
struct compared {
	struct comparison view;
	struct intern *pool; /* of the remarks */
	struct stack_table *older_frames, *newer_frames;
	struct renames *renames;
	struct places *places;
	struct comparison_remark remarks[COMPARE_REMARKS];
};

/* The two runs, while they are compared. */
struct pair {
	const struct snapshot *runs[2]; /* older, newer */
	struct compared *to;
};

/* Adds what one run has of row. */
static void add(struct compared_rows *rows, const struct pair *pair, bool newer,
		struct comparison_row row, uint64_t copies, uint64_t pages, bool lost_line)
{
	struct comparison_side *side = newer ? &row.newer : &row.older;

	side->copies = copies;
	side->bytes = snapshot__bytes(pair->runs[newer], pages);
	compared_rows__add(rows, &row, lost_line);
}

/* --- the tables -------------------------------------------------------------- */

static int finish(struct compared_rows *rows, const struct pair *pair, struct comparison_table *out)
{
	int err;

	compared_rows__merge(rows);
	err = compared_rows__finish(rows, &pair->to->view, out);
	compared_rows__free(rows);
	return err;
}

static int make_causes(const struct pair *pair, struct comparison_table *out)
{
	struct compared_rows rows;

	if (compared_rows__new(pair->runs[0]->n_causes + pair->runs[1]->n_causes, &rows))
		return -ENOMEM;
	for (int newer = 0; newer < 2; newer++) {
		const struct snapshot *snap = pair->runs[newer];

		for (size_t i = 0; i < snap->n_causes; i++)
			add(&rows, pair, newer,
			    (struct comparison_row){.cause = snap->causes[i].cause},
			    snap->causes[i].copies, snap->causes[i].pages, false);
	}
	return finish(&rows, pair, out);
}

static int make_types(const struct pair *pair, struct comparison_table *out)
{
	struct compared_rows rows;

	if (compared_rows__new(pair->runs[0]->n_types + pair->runs[1]->n_types, &rows))
		return -ENOMEM;
	for (int newer = 0; newer < 2; newer++) {
		const struct snapshot *snap = pair->runs[newer];

		for (size_t i = 0; i < snap->n_types; i++)
			add(&rows, pair, newer,
			    (struct comparison_row){.cause = snap->types[i].cause,
						    .type = snap->types[i].type},
			    snap->types[i].copies, snap->types[i].pages, false);
	}
	return finish(&rows, pair, out);
}

static void add_site(struct compared_rows *rows, const struct pair *pair, bool newer,
		     const struct snapshot_site *site)
{
	struct snapshot_frame frame = {
		.file = site->file, .function = site->function, .line = site->line};
	bool found = newer || !site->file || places__find(pair->to->places, &frame);
	struct comparison_row row = {
		.cause = site->cause,
		.type = site->type,
		.file = frame.file,
		.function = frame.function,
		.line = frame.line,
		.source = site->source,
	};

	if (frame.line != site->line || compare__text(frame.file, site->file) != 0) {
		row.older_file = site->file;
		row.older_line = site->line;
	}
	add(rows, pair, newer, row, site->copies, site->pages, !found);
}

static int make_sites(const struct pair *pair, struct comparison_table *out)
{
	struct compared_rows rows;

	if (compared_rows__new(pair->runs[0]->n_sites + pair->runs[1]->n_sites, &rows))
		return -ENOMEM;
	for (int newer = 0; newer < 2; newer++)
		for (size_t i = 0; i < pair->runs[newer]->n_sites; i++)
			add_site(&rows, pair, newer, &pair->runs[newer]->sites[i]);
	return finish(&rows, pair, out);
}

/* --- processes --------------------------------------------------------------- */

/* Pids say nothing of another run: processes are compared by what they are. */
static struct comparison_row role(const struct pair *pair, bool newer,
				  const struct snapshot_process *p)
{
	return (struct comparison_row){
		.command = renames__command(pair->to->renames, p->command),
		.worker = compare__may_work(p),
		.older_processes = !newer,
		.newer_processes = newer,
	};
}

static int find_groups(const struct pair *pair, const struct compared_rows *rows,
		       struct groups *out)
{
	uint32_t **to[] = {&out->older, &out->newer};

	for (int newer = 0; newer < 2; newer++) {
		const struct snapshot *snap = pair->runs[newer];

		*to[newer] = calloc(snap->n_processes + 1, sizeof(**to[newer]));
		if (!*to[newer])
			return -ENOMEM;
		for (size_t i = 0; i < snap->n_processes; i++) {
			const struct comparison_row row = role(pair, newer, &snap->processes[i]);

			(*to[newer])[i] = compared_rows__find(rows, &row);
		}
	}
	return 0;
}

static int make_processes(const struct pair *pair, struct groups *groups)
{
	struct comparison *view = &pair->to->view;
	struct compared_rows rows;
	int err;

	if (compared_rows__new(pair->runs[0]->n_processes + pair->runs[1]->n_processes, &rows))
		return -ENOMEM;
	for (int newer = 0; newer < 2; newer++) {
		const struct snapshot *snap = pair->runs[newer];

		for (size_t i = 0; i < snap->n_processes; i++)
			add(&rows, pair, newer, role(pair, newer, &snap->processes[i]),
			    snap->processes[i].copies, snap->processes[i].pages, false);
	}
	compared_rows__merge(&rows);
	err = compared_rows__finish(&rows, view, &view->processes)
		      ?: find_groups(pair, &rows, groups);
	compared_rows__free(&rows);
	return err;
}

/* --- the whole --------------------------------------------------------------- */

static void fill_total(const struct pair *pair)
{
	struct comparison *view = &pair->to->view;
	const struct snapshot_capture *then = &pair->runs[0]->capture;
	const struct snapshot_capture *now = &pair->runs[1]->capture;

	view->total.older.copies = then->copies;
	view->total.older.bytes = snapshot__bytes(pair->runs[0], then->pages);
	view->total.newer.copies = now->copies;
	view->total.newer.bytes = snapshot__bytes(pair->runs[1], now->pages);
	compared_row__judge(&view->total, view);
}

static void find_significant(struct comparison *view)
{
	const struct comparison_table *tables[] = {&view->causes, &view->types, &view->sites,
						   &view->processes};

	view->any_significant = view->total.state != COMPARISON_SAME;
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (size_t i = 0; i < tables[t]->n; i++)
			view->any_significant |= tables[t]->rows[i].significant;
}

static int prepare(const struct pair *pair)
{
	const struct snapshot *older = pair->runs[0], *newer = pair->runs[1];
	struct compared *to = pair->to;

	return intern__new(&to->pool)							       ?:
	       stack_table__new(older->stacks, older->n_stacks, &to->older_frames)	       ?:
	       stack_table__new(newer->stacks, newer->n_stacks, &to->newer_frames)	       ?:
	       renames__new(older, to->older_frames, newer, to->newer_frames, to->pool, &to->renames) ?:
	       places__new(older, to->older_frames, newer, to->newer_frames, to->renames,
			   to->pool, &to->places);
}

static int fill(const struct pair *pair)
{
	struct comparison *view = &pair->to->view;
	struct groups groups = {};
	int err = prepare(pair);

	if (err)
		return err;
	err = compare__workers(view, pair->runs[1], pair->to->renames);
	if (err)
		return err;
	fill_total(pair);
	err = make_causes(pair, &view->causes)	?:
	      make_types(pair, &view->types)	?:
	      make_sites(pair, &view->sites)	?:
	      make_processes(pair, &groups)	?:
	      compare__stacks(view, pair->runs[1], pair->to->places, &groups);
	free(groups.older);
	free(groups.newer);
	if (err)
		return err;
	find_significant(view);
	view->remarks = pair->to->remarks;
	view->n_remarks = compare__remarks(view, pair->runs[1], pair->to->pool, pair->to->remarks);
	return 0;
}

uint64_t comparison__lost(const struct snapshot *snap, const struct comparison *c,
			  unsigned int reason, bool newer)
{
	const struct snapshot *run = newer ? snap : c ? c->older : NULL;

	if (!run)
		return 0;
	return comparison__per_worker(snapshot__bytes(run, run->capture.lost_by_reason[reason]),
				      !c      ? 0
				      : newer ? c->newer_workers
					      : c->older_workers);
}

int comparison__new(const struct snapshot *older, const struct snapshot *newer, const char *name,
		    struct comparison **out)
{
	struct compared *to = calloc(1, sizeof(*to));
	const struct pair pair = {.runs = {older, newer}, .to = to};
	int err;

	if (!to)
		return -ENOMEM;
	to->view.older = older;
	to->view.older_name = name;
	err = fill(&pair);
	if (err)
		comparison__free(&to->view);
	else
		*out = &to->view;
	return err;
}

void comparison__free(struct comparison *comparison)
{
	struct compared *to = (struct compared *)comparison;

	if (!comparison)
		return;
	free((void *)comparison->causes.rows);
	free((void *)comparison->types.rows);
	free((void *)comparison->sites.rows);
	free((void *)comparison->processes.rows);
	free((void *)comparison->stacks);
	free((void *)comparison->weights);
	places__free(to->places);
	renames__free(to->renames);
	stack_table__free(to->older_frames);
	stack_table__free(to->newer_frames);
	intern__free(to->pool);
	free(to);
}
