/* SPDX-License-Identifier: MIT */
/*
 * From counts to the sorted tables of a snapshot. Every table is made in the same way: sort the
 * counts so that alike ones are neighbours, merge the neighbours to rows, sort the rows by copies
 * and name.
 */
#include "model/counts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* How one table is made. */
struct table {
	size_t row_size;
	bool (*concerns)(const struct count *count);		      /* NULL: every count does */
	int (*compare)(const struct count *a, const struct count *b); /* 0: the same row */
	void (*start)(void *row, const struct count *count);
	/* new_process: the first count of its process in this row. */
	void (*add)(void *row, const struct count *count, bool new_process);
	int (*order)(const void *a, const void *b);
};

/* --- causes ------------------------------------------------------------------ */

static int same_cause(const struct count *a, const struct count *b)
{
	const struct count_key *x = &a->key, *y = &b->key;

	return compare_number(x->cause, y->cause)	    ?:
	       compare_number(x->origin, y->origin)	    ?:
	       compare_number(x->certainty, y->certainty) ?:
	       compare_name(x->detail, y->detail);
}

static void start_cause(void *row, const struct count *count)
{
	*(struct snapshot_cause *)row = (struct snapshot_cause){
		.cause = cause__name(count->key.cause),
		.help = cause__help(count->key.cause),
		.detail = count->key.detail,
		.origin = origin__name(count->key.origin),
		.certainty = certainty__name(count->key.certainty),
	};
}

static void add_cause(void *row, const struct count *count, bool new_process)
{
	struct snapshot_cause *cause = row;

	cause->copies += count->copies;
	cause->pages += count->pages;
	cause->processes += new_process;
}

static int order_causes(const void *a, const void *b)
{
	const struct snapshot_cause *x = a, *y = b;

	return compare_number(y->copies, x->copies) ?: compare_name(x->cause, y->cause)	  ?:
	       compare_name(x->detail, y->detail)   ?: compare_name(x->origin, y->origin) ?:
	       compare_name(x->certainty, y->certainty);
}

/* --- types ------------------------------------------------------------------- */

static int same_type(const struct count *a, const struct count *b)
{
	return compare_number(a->key.cause, b->key.cause) ?: compare_name(a->key.type, b->key.type);
}

static void start_type(void *row, const struct count *count)
{
	*(struct snapshot_type *)row = (struct snapshot_type){
		.type = count->key.type,
		.cause = cause__name(count->key.cause),
	};
}

static void add_type(void *row, const struct count *count, bool new_process)
{
	struct snapshot_type *type = row;

	(void)new_process;
	type->copies += count->copies;
	type->pages += count->pages;
}

static int order_types(const void *a, const void *b)
{
	const struct snapshot_type *x = a, *y = b;

	return compare_number(y->copies, x->copies) ?: compare_name(x->type, y->type) ?:
	       compare_name(x->cause, y->cause);
}

/* --- sites ------------------------------------------------------------------- */

static const char *site_function(const struct count *count)
{
	return count->leaf ? count->leaf->function : count->native;
}

static int same_site(const struct count *a, const struct count *b)
{
	return compare_name(a->leaf ? a->leaf->file : NULL, b->leaf ? b->leaf->file : NULL) ?:
	       compare_number(a->leaf ? a->leaf->line : 0, b->leaf ? b->leaf->line : 0)	    ?:
	       compare_name(site_function(a), site_function(b))				    ?:
	       same_type(a, b);
}

static void start_site(void *row, const struct count *count)
{
	*(struct snapshot_site *)row = (struct snapshot_site){
		.file = count->leaf ? count->leaf->file : NULL,
		.line = count->leaf ? count->leaf->line : 0,
		.function = site_function(count),
		.cause = cause__name(count->key.cause),
		.type = count->key.type,
	};
}

static void add_site(void *row, const struct count *count, bool new_process)
{
	struct snapshot_site *site = row;

	site->copies += count->copies;
	site->pages += count->pages;
	site->processes += new_process;
}

static int order_sites(const void *a, const void *b)
{
	const struct snapshot_site *x = a, *y = b;

	return compare_number(y->copies, x->copies)	?: compare_name(x->file, y->file)   ?:
	       compare_number(x->line, y->line)		?: compare_name(x->function, y->function) ?:
	       compare_name(x->cause, y->cause)		?: compare_name(x->type, y->type);
}

/* --- details ----------------------------------------------------------------- */

static int same_detail(const struct count *a, const struct count *b)
{
	return same_site(a, b) ?: same_cause(a, b);
}

static void start_detail(void *row, const struct count *count)
{
	*(struct snapshot_detail *)row = (struct snapshot_detail){
		.file = count->leaf ? count->leaf->file : NULL,
		.line = count->leaf ? count->leaf->line : 0,
		.function = site_function(count),
		.cause = cause__name(count->key.cause),
		.detail = count->key.detail,
		.origin = origin__name(count->key.origin),
		.certainty = certainty__name(count->key.certainty),
		.type = count->key.type,
	};
}

static void add_detail(void *row, const struct count *count, bool new_process)
{
	struct snapshot_detail *detail = row;

	(void)new_process;
	detail->copies += count->copies;
	detail->pages += count->pages;
}

static int order_details(const void *a, const void *b)
{
	const struct snapshot_detail *x = a, *y = b;

	return compare_number(y->copies, x->copies)	?: compare_name(x->file, y->file)   ?:
	       compare_number(x->line, y->line)		?: compare_name(x->function, y->function) ?:
	       compare_name(x->cause, y->cause)		?: compare_name(x->type, y->type) ?:
	       compare_name(x->detail, y->detail)	?: compare_name(x->origin, y->origin) ?:
	       compare_name(x->certainty, y->certainty);
}

/* --- memory of others -------------------------------------------------------- */

static bool is_foreign(const struct count *count)
{
	return count->key.victim_pid;
}

static int same_foreign(const struct count *a, const struct count *b)
{
	return compare_number((uintptr_t)a->key.process, (uintptr_t)b->key.process) ?:
	       compare_number((uintptr_t)a->key.victim, (uintptr_t)b->key.victim)   ?:
	       compare_number(a->key.victim_pid, b->key.victim_pid)		    ?:
	       compare_name(a->key.detail, b->key.detail);
}

static void start_foreign(void *row, const struct count *count)
{
	const struct count_key *key = &count->key;

	*(struct snapshot_foreign *)row = (struct snapshot_foreign){
		.pid = key->process->facts.pid,
		.command = key->process->facts.command,
		.victim = key->victim_pid == CT_VICTIM_UNKNOWN ? 0 : key->victim_pid,
		.victim_command = key->victim ? key->victim->facts.command : NULL,
		.how = key->detail,
	};
}

static void add_foreign(void *row, const struct count *count, bool new_process)
{
	struct snapshot_foreign *foreign = row;

	(void)new_process;
	foreign->copies += count->copies;
	foreign->pages += count->pages;
}

static int order_foreign(const void *a, const void *b)
{
	const struct snapshot_foreign *x = a, *y = b;

	/* pids come back: commands and pages tell their processes apart */
	return compare_number(y->copies, x->copies)   ?: compare_number(x->pid, y->pid) ?:
	       compare_number(x->victim, y->victim)   ?: compare_name(x->how, y->how)	 ?:
	       compare_number(y->pages, x->pages)     ?: compare_name(x->command, y->command) ?:
	       compare_name(x->victim_command, y->victim_command);
}

/* --- tables ------------------------------------------------------------------ */

static bool has_type(const struct count *count)
{
	return count->key.type;
}

static const struct table causes_table = {
	.row_size = sizeof(struct snapshot_cause),
	.compare = same_cause,
	.start = start_cause,
	.add = add_cause,
	.order = order_causes,
};

static const struct table types_table = {
	.row_size = sizeof(struct snapshot_type),
	.concerns = has_type,
	.compare = same_type,
	.start = start_type,
	.add = add_type,
	.order = order_types,
};

static const struct table sites_table = {
	.row_size = sizeof(struct snapshot_site),
	.compare = same_site,
	.start = start_site,
	.add = add_site,
	.order = order_sites,
};

static const struct table details_table = {
	.row_size = sizeof(struct snapshot_detail),
	.compare = same_detail,
	.start = start_detail,
	.add = add_detail,
	.order = order_details,
};

static const struct table foreign_table = {
	.row_size = sizeof(struct snapshot_foreign),
	.concerns = is_foreign,
	.compare = same_foreign,
	.start = start_foreign,
	.add = add_foreign,
	.order = order_foreign,
};

static int compare_counts(const void *a, const void *b, void *arg)
{
	const struct count *x = *(const struct count *const *)a;
	const struct count *y = *(const struct count *const *)b;
	const struct table *table = arg;

	return table->compare(x, y)
		       ?: compare_number((uintptr_t)x->key.process, (uintptr_t)y->key.process);
}

/* Merges the sorted counts to rows; returns how many. */
static size_t merge(const struct table *table, const struct count **counts, size_t n, char *rows)
{
	char *row = rows - table->row_size;
	const struct count *before = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct count *count = counts[i];
		bool fresh = !before || table->compare(before, count) != 0;

		if (fresh)
			table->start(row += table->row_size, count);
		table->add(row, count, fresh || before->key.process != count->key.process);
		before = count;
	}
	return (size_t)(row + table->row_size - rows) / table->row_size;
}

static int make_table(const struct table *table, const struct aggregate *agg, void **out, size_t *n)
{
	_free_ const struct count **counts = NULL;
	size_t used = 0, all = HASH_COUNT(agg->counts);
	char *rows;

	counts = calloc(all + 1, sizeof(struct count *));
	rows = calloc(all + 1, table->row_size);
	*out = rows;
	if (!counts || !rows)
		return -ENOMEM;
	for (const struct count *c = agg->counts; c; c = c->hh.next)
		if (!table->concerns || table->concerns(c))
			counts[used++] = c;
	qsort_r(counts, used, sizeof(struct count *), compare_counts, (void *)table);
	*n = merge(table, counts, used, rows);
	qsort(rows, *n, table->row_size, table->order);
	return 0;
}

/* --- the whole --------------------------------------------------------------- */

static int fill(const struct aggregate *agg, struct derived *out, uint64_t start)
{
	struct snapshot *view = &out->view;
	int err;

	err = make_table(&causes_table, agg, (void **)&out->causes, &view->n_causes) ?:
	      make_table(&types_table, agg, (void **)&out->types, &view->n_types)    ?:
	      make_table(&sites_table, agg, (void **)&out->sites, &view->n_sites)    ?:
	      make_table(&details_table, agg, (void **)&out->details, &view->n_details) ?:
	      make_table(&foreign_table, agg, (void **)&out->foreign, &view->n_foreign) ?:
	      kinds__make(agg, out)						       ?:
	      ledgers__make(agg, out, start)					       ?:
	      stacks__make(agg, out)						       ?:
	      history__make(agg, out);
	if (err)
		return err;
	view->processes = out->processes;
	view->causes = out->causes;
	view->types = out->types;
	view->sites = out->sites;
	view->details = out->details;
	view->foreign = out->foreign;
	view->stacks = out->stacks;
	return 0;
}

int derive__advise(struct derived *derived)
{
	int n = advice__give(&derived->view, &derived->advice);

	if (n < 0)
		return n;
	derived->view.advice = derived->advice.rows;
	derived->view.n_advice = (size_t)n;
	return 0;
}

int derive__new(const struct aggregate *agg, const struct snapshot_host *host,
		const struct snapshot_capture *capture, uint64_t start_time, struct derived **out)
{
	struct derived *derived = calloc(1, sizeof(*derived));
	int err;

	if (!derived)
		return -ENOMEM;
	derived->view.version = host->version ?: COWTRACE_VERSION;
	derived->view.host = *host;
	derived->view.capture = *capture;
	derived->view.start_time = start_time;
	ledgers__fill_capture(agg, &derived->view.capture);
	err = fill(agg, derived, start_time);
	if (err)
		derive__free(derived);
	else
		*out = derived;
	return err;
}

void derive__free(struct derived *derived)
{
	if (!derived)
		return;
	free(derived->processes);
	free(derived->causes);
	free(derived->types);
	free(derived->sites);
	free(derived->details);
	free(derived->foreign);
	free(derived->sharers);
	free(derived->sizes);
	free(derived->stacks);
	free(derived->frames);
	free(derived->series);
	free(derived->by_cause);
	free(derived->map);
	free(derived);
}
