/* SPDX-License-Identifier: MIT */
/*
 * Who the workers are. Not simply all that began with shared pages: where python3 is a script of
 * pyenv, its shell forks twenty children before the service has forked its three workers, and a
 * service may call a helper now and then. So it is the processes of one command: of those that
 * began with shared pages in both runs, the one that copied most. Where no command is common to
 * both, each run has its own.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/compare_parts.h"

/* Processes of one command that began with shared pages, in the older and the newer run. */
struct crew {
	const char *command;
	uint64_t n[2], bytes[2];
};

static int order_crews(const void *a, const void *b)
{
	return compare__text(((const struct crew *)a)->command, ((const struct crew *)b)->command);
}

static size_t collect(const struct snapshot *const *runs, const struct renames *renames,
		      struct crew *crews)
{
	size_t n = 0;

	for (int newer = 0; newer < 2; newer++) {
		for (size_t i = 0; i < runs[newer]->n_processes; i++) {
			const struct snapshot_process *p = &runs[newer]->processes[i];

			if (!compare__may_work(p))
				continue;
			crews[n].command = renames__command(renames, p->command);
			crews[n].bytes[newer] = snapshot__bytes(runs[newer], p->pages);
			crews[n++].n[newer] = 1;
		}
	}
	return n;
}

static size_t merge(struct crew *crews, size_t n)
{
	size_t kept = 0;

	qsort(crews, n, sizeof(*crews), order_crews);
	for (size_t i = 0; i < n; i++) {
		if (!kept || order_crews(&crews[kept - 1], &crews[i]) != 0) {
			crews[kept++] = crews[i];
			continue;
		}
		for (int newer = 0; newer < 2; newer++) {
			crews[kept - 1].n[newer] += crews[i].n[newer];
			crews[kept - 1].bytes[newer] += crews[i].bytes[newer];
		}
	}
	return kept;
}

/* Bytes count first, then heads; then the order of names. weight: which runs count. */
static bool is_better(const struct crew *a, const struct crew *b, const bool *weight)
{
	uint64_t x = 0, y = 0, heads_x = 0, heads_y = 0;

	for (int newer = 0; newer < 2; newer++) {
		if (!weight[newer])
			continue;
		x += a->bytes[newer];
		y += b->bytes[newer];
		heads_x += a->n[newer];
		heads_y += b->n[newer];
	}
	return x > y || (x == y && heads_x > heads_y);
}

/* The best of those that are in each run that counts; NULL: none. */
static const struct crew *best(const struct crew *crews, size_t n, bool older, bool newer)
{
	const bool weight[] = {older, newer};
	const struct crew *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if ((older && !crews[i].n[0]) || (newer && !crews[i].n[1]))
			continue;
		if (!found || is_better(&crews[i], found, weight))
			found = &crews[i];
	}
	return found;
}

int compare__workers(struct comparison *out, const struct snapshot *newer,
		     const struct renames *renames)
{
	const struct snapshot *runs[] = {out->older, newer};
	_free_ struct crew *crews =
		calloc(out->older->n_processes + newer->n_processes + 1, sizeof(*crews));
	const struct crew *common, *then, *now;
	size_t n;

	if (!crews)
		return -ENOMEM;
	n = merge(crews, collect(runs, renames, crews));
	common = best(crews, n, true, true);
	then = common ?: best(crews, n, true, false);
	now = common ?: best(crews, n, false, true);
	if (then) {
		out->older_workers = then->n[0];
		out->older_worker = then->command;
	}
	if (now) {
		out->newer_workers = now->n[1];
		out->newer_worker = now->command;
	}
	return 0;
}
