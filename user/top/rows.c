/* SPDX-License-Identifier: MIT */
/* Which rows a table has, and in which order. */
#include "top/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "model/cause.h"
#include "model/snapshot.h"

/* --- collecting -------------------------------------------------------------- */

static void add_counts(struct live_counts *to, const struct live_counts *n)
{
	to->total.copies += n->total.copies;
	to->total.pages += n->total.pages;
	to->recent.copies += n->recent.copies;
	to->recent.pages += n->recent.pages;
}

/* Which sum it belongs to, if it has no row of its own: so that all rows add up to the whole. */
static enum sum sum_of(const struct top_data *data, const struct live_process *p)
{
	const struct process_facts *facts = &p->facts;

	if (facts->exited && !p->n.recent.copies)
		return SUM_ENDED;
	if (!data->searching)
		return SUM_NONE;
	/* Programs that were started by a Python. */
	if (!facts->python && !facts->python_problem)
		return SUM_NO_PYTHON;
	/* It has nothing to do with forks, and nothing to show. */
	return facts->forked || p->children || p->n.total.copies ? SUM_NONE : SUM_NO_PYTHON;
}

static void collect_sum(struct rows *out, enum sum which, const char *words)
{
	struct row_of_sum *sum = &out->sums[which];

	if (!sum->row.n.total.copies)
		return;
	snprintf(sum->text, sizeof(sum->text), "(%s that %s)", number__count(sum->n).s, words);
	sum->row.facts = (struct process_facts){
		.command = sum->text,
		.shared_at_fork = SNAPSHOT_UNKNOWN,
		.shared_now = SNAPSHOT_UNKNOWN,
		.new_bytes = SNAPSHOT_UNKNOWN,
	};
	out->rows[out->n++] = (struct row){.key = UINT64_MAX - which, .process = &sum->row};
}

static void collect_processes(const struct top_data *data, struct rows *out)
{
	const struct live_view *live = data->live;

	out->sums[SUM_ENDED].n = live->n_ended;
	add_counts(&out->sums[SUM_ENDED].row.n, &live->ended);
	for (size_t i = 0; i < live->n_processes; i++) {
		const struct live_process *p = &live->processes[i];
		enum sum sum = sum_of(data, p);

		if (sum == SUM_NONE)
			out->rows[out->n++] = (struct row){.key = p->number, .process = p};
		out->sums[sum].n += p->n.total.copies > 0;
		add_counts(&out->sums[sum].row.n, &p->n);
	}
	collect_sum(out, SUM_ENDED, "have ended");
	collect_sum(out, SUM_NO_PYTHON, "run no Python");
}

/* FNV-1a over what tells sites apart: strings are interned. */
static uint64_t key_of(const struct live_row *line)
{
	uintptr_t words[] = {(uintptr_t)line->file, (uintptr_t)line->function,
			     (uintptr_t)line->type, line->line, line->cause};
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		hash = (hash ^ words[i]) * 1099511628211u;
	return hash;
}

static void collect_lines(const struct live_table *table, struct rows *out)
{
	for (size_t i = 0; i < table->n; i++)
		out->rows[out->n++] =
			(struct row){.key = key_of(&table->rows[i]), .line = &table->rows[i]};
	if (!table->others.total.copies)
		return;
	snprintf(out->others_text, sizeof(out->others_text), "(%s more with few copies)",
		 number__count(table->n_others).s);
	out->others = (struct live_row){
		.function = out->others_text, .cause = CAUSE_MAX, .n = table->others};
	out->rows[out->n++] = (struct row){.key = UINT64_MAX, .line = &out->others};
}

/* --- the filter -------------------------------------------------------------- */

static bool matches(const struct top *top, const struct top_data *data, enum pane pane,
		    const struct row *row)
{
	const struct pane_columns *columns = columns__of(pane);
	char text[CELL_MAX];

	if (row->line && row->line->file && strcasestr(row->line->file, top->filter))
		return true;
	for (unsigned int i = 0; i < columns->n; i++) {
		if (!columns->columns[i].left)
			continue;
		columns->columns[i].text(data, row, text, sizeof(text));
		if (strcasestr(text, top->filter))
			return true;
	}
	return false;
}

static void filter(const struct top *top, const struct top_data *data, enum pane pane,
		   struct rows *rows)
{
	size_t n = 0;

	rows->n_all = rows->n;
	if (!top->filter[0])
		return;
	for (size_t i = 0; i < rows->n; i++)
		if (matches(top, data, pane, &rows->rows[i]))
			rows->rows[n++] = rows->rows[i];
	rows->n = n;
}

/* --- order ------------------------------------------------------------------- */

struct order {
	const struct column *column;
	const struct top_data *data;
	bool reverse;
};

static int by_text(const struct order *order, const struct row *a, const struct row *b)
{
	char x[CELL_MAX], y[CELL_MAX];

	order->column->text(order->data, a, x, sizeof(x));
	order->column->text(order->data, b, y, sizeof(y));
	return strcasecmp(y, x); /* from A to Z */
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct row *x = a, *y = b;
	const struct order *order = arg;
	int result = order->column->compare ? order->column->compare(x, y) : by_text(order, x, y);

	if (result)
		return order->reverse ? result : -result;
	return x->key < y->key ? -1 : x->key > y->key; /* else they would dance */
}

/* --- the whole --------------------------------------------------------------- */

int top_rows__make(const struct top *top, const struct top_data *data, enum pane pane,
		   struct rows *out)
{
	const struct look *look = &top->looks[pane];
	struct order order = {&columns__of(pane)->columns[look->sort], data, look->reverse};
	const struct live_view *live = data->live;
	size_t most = live->n_processes;

	if (pane != PANE_WORKERS)
		most = pane == PANE_SITES ? live->sites.n : live->causes.n;
	*out = (struct rows){.rows = calloc(most + SUMS, sizeof(*out->rows))};
	if (!out->rows)
		return -ENOMEM;
	if (pane == PANE_WORKERS)
		collect_processes(data, out);
	else
		collect_lines(pane == PANE_SITES ? &live->sites : &live->causes, out);
	filter(top, data, pane, out);
	qsort_r(out->rows, out->n, sizeof(*out->rows), compare_rows, &order);
	if (top->max_rows && out->n > top->max_rows)
		out->n = top->max_rows;
	return 0;
}

void top_rows__free(struct rows *rows)
{
	free(rows->rows);
}
