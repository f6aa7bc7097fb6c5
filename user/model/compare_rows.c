/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/compare_parts.h"

/* Less of a row is no change; less of all that was copied is not worth a word. */
#define LEAST_PERCENT 1

uint64_t comparison__per_worker(uint64_t bytes, uint64_t workers)
{
	return workers ? bytes / workers + (bytes % workers + workers / 2) / workers : bytes;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

enum comparison_state comparison__state(uint64_t older, uint64_t newer)
{
	if (distance(older, newer) * 100 < larger(older, newer) * LEAST_PERCENT || older == newer)
		return COMPARISON_SAME;
	if (!older)
		return COMPARISON_APPEARED;
	if (!newer)
		return COMPARISON_GONE;
	return newer > older ? COMPARISON_MORE : COMPARISON_LESS;
}

const char *comparison__state_name(enum comparison_state state)
{
	static const char *const names[] = {
		[COMPARISON_SAME] = "same", [COMPARISON_MORE] = "more",
		[COMPARISON_LESS] = "less", [COMPARISON_APPEARED] = "appeared",
		[COMPARISON_GONE] = "gone",
	};

	return names[state];
}

void compared_row__judge(struct comparison_row *row, const struct comparison *comparison)
{
	const struct comparison_row *total = &comparison->total;
	uint64_t all = larger(total->older.per_worker, total->newer.per_worker), change;

	row->older.per_worker = comparison__per_worker(row->older.bytes, comparison->older_workers);
	row->newer.per_worker = comparison__per_worker(row->newer.bytes, comparison->newer_workers);
	row->change = (int64_t)(row->newer.per_worker - row->older.per_worker);
	row->state = (uint8_t)comparison__state(row->older.per_worker, row->newer.per_worker);
	change = distance(row->newer.per_worker, row->older.per_worker);
	row->significant = row->state != COMPARISON_SAME && change * 100 >= all * LEAST_PERCENT;
}

/* --- making a table ---------------------------------------------------------- */

int compared_rows__new(size_t room, struct compared_rows *rows)
{
	*rows = (struct compared_rows){.at = calloc(room + 1, sizeof(*rows->at))};
	return rows->at ? 0 : -ENOMEM;
}

void compared_rows__free(struct compared_rows *rows)
{
	free(rows->at);
}

void compared_rows__add(struct compared_rows *rows, const struct comparison_row *row,
			bool lost_line)
{
	rows->at[rows->n++] = (struct row){.row = *row, .lost_line = lost_line};
}

/* All but the line: within a function, a kind of copy. */
static int compare_kinds(const struct row *a, const struct row *b)
{
	const struct comparison_row *x = &a->row, *y = &b->row;

	return compare__text(x->file, y->file)	       ?:
	       compare__text(x->function, y->function) ?:
	       compare__text(x->cause, y->cause)       ?:
	       compare__text(x->type, y->type)	       ?:
	       compare__text(x->command, y->command)   ?:
	       x->worker - y->worker;
}

static int order_keys(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return compare_kinds(x, y) ?: x->lost_line - y->lost_line ?:
	       (x->row.line < y->row.line ? -1 : x->row.line > y->row.line);
}

static void add_side(struct comparison_side *to, const struct comparison_side *side)
{
	to->copies += side->copies;
	to->bytes += side->bytes;
}

static void add_row(struct comparison_row *to, const struct comparison_row *row)
{
	add_side(&to->older, &row->older);
	add_side(&to->newer, &row->newer);
	to->older_processes += row->older_processes;
	to->newer_processes += row->newer_processes;
	if (row->source && (row->newer.copies || !to->source))
		to->source = row->source;
	if (row->older_file) {
		to->older_file = row->older_file;
		to->older_line = row->older_line;
	}
}

static bool is_older_only(const struct row *row)
{
	return row->row.older.copies && !row->row.newer.copies;
}

static bool is_newer_only(const struct row *row)
{
	return row->row.newer.copies && !row->row.older.copies;
}

/* One that is left over in either run: a line that became two, or two that became one. */
static void join(struct row *older, struct row *newer)
{
	if (!older->row.older_file) {
		older->row.older_file = older->row.file;
		older->row.older_line = older->row.line;
	}
	older->row.source = NULL;
	add_row(&newer->row, &older->row);
	older->row.older = (struct comparison_side){};
}

static void join_rest(struct row *at, size_t n)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < n && !is_older_only(&at[i]))
			i++;
		while (k < n && !is_newer_only(&at[k]))
			k++;
		if (i == n || k == n)
			return;
		join(&at[i], &at[k]);
	}
}

static void join_sites(struct compared_rows *rows)
{
	size_t end, kept = 0;

	for (size_t i = 0; i < rows->n; i = end) {
		for (end = i + 1;
		     end < rows->n && compare_kinds(&rows->at[i], &rows->at[end]) == 0;)
			end++;
		if (rows->at[i].row.file)
			join_rest(&rows->at[i], end - i);
	}
	for (size_t i = 0; i < rows->n; i++)
		if (!rows->at[i].row.file || rows->at[i].row.older.copies ||
		    rows->at[i].row.newer.copies)
			rows->at[kept++] = rows->at[i];
	rows->n = kept;
}

void compared_rows__merge(struct compared_rows *rows)
{
	size_t n = 0;

	qsort(rows->at, rows->n, sizeof(*rows->at), order_keys);
	for (size_t i = 0; i < rows->n; i++) {
		if (n && order_keys(&rows->at[n - 1], &rows->at[i]) == 0)
			add_row(&rows->at[n - 1].row, &rows->at[i].row);
		else
			rows->at[n++] = rows->at[i];
	}
	rows->n = n;
	join_sites(rows);
}

/* --- the finished table ------------------------------------------------------ */

static uint64_t magnitude(const struct row *row)
{
	return distance(row->row.newer.per_worker, row->row.older.per_worker);
}

static uint64_t size(const struct row *row)
{
	return larger(row->row.newer.per_worker, row->row.older.per_worker);
}

static int order_changes(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;

	if (magnitude(x) != magnitude(y))
		return magnitude(x) < magnitude(y) ? 1 : -1;
	if (size(x) != size(y))
		return size(x) < size(y) ? 1 : -1;
	return x < y ? -1 : x > y; /* sorted by what they are of */
}

int compared_rows__finish(struct compared_rows *rows, const struct comparison *comparison,
			  struct comparison_table *out)
{
	_free_ struct row **order = calloc(rows->n + 1, sizeof(*order));
	struct comparison_row *finished = calloc(rows->n + 1, sizeof(*finished));

	if (!order || !finished) {
		free(finished);
		return -ENOMEM;
	}
	for (size_t i = 0; i < rows->n; i++) {
		compared_row__judge(&rows->at[i].row, comparison);
		order[i] = &rows->at[i];
	}
	qsort(order, rows->n, sizeof(*order), order_changes);
	for (size_t i = 0; i < rows->n; i++) {
		order[i]->place = (uint32_t)i;
		finished[i] = order[i]->row;
	}
	*out = (struct comparison_table){.n = rows->n, .rows = finished};
	return 0;
}

uint32_t compared_rows__find(const struct compared_rows *rows, const struct comparison_row *row)
{
	const struct row wanted = {.row = *row};
	const struct row *found = bsearch(&wanted, rows->at, rows->n, sizeof(wanted), order_keys);

	return found ? found->place : 0;
}
