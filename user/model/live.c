/* SPDX-License-Identifier: MIT */
#include "model/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cowtrace/abi.h>

#include "base/cleanup.h"
#include "model/cause.h"
#include "model/facts.h"
#include "model/live_table.h"
#include "model/ticks.h"

struct worker {
	uint32_t number;
	bool known; /* facts are filled in */
	struct process_facts facts;
	struct ticks n;
	struct worker *next; /* in order of appearance */
	UT_hash_handle hh;
};

struct live {
	uint64_t tick;		   /* the open one; those before have ended */
	uint64_t ends[LIVE_TICKS]; /* ns: when tick i ended, at i % LIVE_TICKS */
	uint64_t start;
	struct ticks n;
	struct worker *workers; /* hash */
	struct worker *first, **tail;
	struct worker *last; /* that was asked for */
	struct ticks ended;
	uint64_t n_ended;
	struct live_sites sites, causes;
	struct live_view view;
	struct live_process *rows; /* of the view */
};

int live__new(uint64_t start, struct live **out)
{
	struct live *live = calloc(1, sizeof(*live));

	if (!live)
		return -ENOMEM;
	live->start = start;
	live->tail = &live->first;
	*out = live;
	return 0;
}

void live__free(struct live *live)
{
	struct worker *w, *next;

	if (!live)
		return;
	HASH_ITER (hh, live->workers, w, next) {
		HASH_DEL(live->workers, w);
		free(w);
	}
	live_sites__free(&live->sites);
	live_sites__free(&live->causes);
	free(live->rows);
	free(live);
}

/* --- counting ---------------------------------------------------------------- */

static struct worker *worker__new(struct live *live, uint32_t number)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->number = number;
	HASH_ADD(hh, live->workers, number, sizeof(w->number), w);
	if (!w->hh.tbl) { /* see HASH_NONFATAL_OOM */
		free(w);
		return NULL;
	}
	*live->tail = w;
	live->tail = &w->next;
	return w;
}

/* NULL: no memory. Its copies are then counted as if it had ended. */
static struct worker *worker__of(struct live *live, uint32_t number)
{
	struct worker *w = live->last;

	if (w && w->number == number)
		return w;
	HASH_FIND(hh, live->workers, &number, sizeof(number), w);
	if (!w)
		w = worker__new(live, number);
	if (w)
		live->last = w;
	return w;
}

static void count_site(struct live *live, const struct fault_facts *facts,
		       const struct verdict *verdict, struct live_sum one)
{
	const struct stack_fact *stack = facts->stack;
	const struct frame_fact *leaf = stack && stack->n ? stack->frames : NULL;
	struct site_key key = {.type = verdict->type, .cause = verdict->cause};

	live_sites__add(&live->causes, &key, live->tick, one);
	if (leaf && leaf->file) {
		key.file = leaf->file;
		key.function = leaf->function;
		key.line = leaf->line;
	} else if (facts->kernel) {
		key.function = facts->syscall;
		key.kernel = true;
	} else {
		key.function = facts->symbol ?: facts->module;
	}
	live_sites__add(&live->sites, &key, live->tick, one);
}

void live__add(struct live *live, uint32_t number, const struct fault_facts *facts,
	       const struct verdict *verdict)
{
	struct worker *w = worker__of(live, number);
	unsigned int order = facts->order <= CT_MAX_ORDER ? facts->order : 0;
	struct live_sum one = {.copies = 1, .pages = 1ull << order};

	ticks__add(&live->n, live->tick, one);
	ticks__add(w ? &w->n : &live->ended, live->tick, one);
	count_site(live, facts, verdict, one);
}

void live__process(struct live *live, uint32_t number, const struct process_facts *facts)
{
	struct worker *w = worker__of(live, number);

	if (!w)
		return;
	w->facts = *facts;
	w->known = true;
}

/* --- time -------------------------------------------------------------------- */

/* Has ended, or was never heard of, and nothing of it is seen in any window. */
static bool is_past(const struct live *live, const struct worker *w)
{
	return (!w->known || w->facts.exited) && w->n.last + LIVE_TICKS < live->tick;
}

static void forget_past(struct live *live)
{
	struct worker **at = &live->first, *w;

	while ((w = *at)) {
		if (!is_past(live, w)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		ticks__merge(&live->ended, &w->n);
		live->n_ended++;
		HASH_DEL(live->workers, w);
		free(w);
	}
	live->tail = at;
	live->last = NULL;
}

void live__tick(struct live *live, uint64_t now)
{
	live->ends[live->tick % LIVE_TICKS] = now;
	live->tick++;
	forget_past(live);
}

/* --- the view ---------------------------------------------------------------- */

static uint64_t end_of(const struct live *live, uint64_t tick)
{
	return live->ends[tick % LIVE_TICKS];
}

struct pid_row {
	uint32_t pid;
	struct live_process *row;
};

static int by_pid(const void *a, const void *b)
{
	const struct pid_row *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* A pid can have several rows, of which one lives. */
static int count_children(struct live_process *rows, size_t n)
{
	_free_ struct pid_row *pids = calloc(n + 1, sizeof(*pids));
	size_t living = 0;

	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!rows[i].facts.exited)
			pids[living++] = (struct pid_row){rows[i].facts.pid, &rows[i]};
	qsort(pids, living, sizeof(*pids), by_pid);
	for (size_t i = 0; i < n; i++) {
		struct pid_row key = {.pid = rows[i].facts.ppid}, *parent = NULL;

		if (rows[i].facts.forked && !rows[i].facts.exited)
			parent = bsearch(&key, pids, living, sizeof(*pids), by_pid);
		if (parent)
			parent->row->children++;
	}
	return 0;
}

static void add_counts(struct live_counts *to, const struct live_counts *n)
{
	sum__add(&to->total, &n->total);
	sum__add(&to->recent, &n->recent);
}

static int fill_processes(struct live *live, uint64_t first, uint64_t end)
{
	struct live_view *v = &live->view;
	size_t n = 0;

	free(live->rows);
	live->rows = calloc(HASH_COUNT(live->workers) + 1, sizeof(*live->rows));
	if (!live->rows)
		return -ENOMEM;
	v->ended = ticks__counts(&live->ended, first, end);
	v->n_ended = live->n_ended;
	for (const struct worker *w = live->first; w; w = w->next) {
		struct live_counts counts = ticks__counts(&w->n, first, end);

		if (w->known)
			live->rows[n++] = (struct live_process){w->number, 0, w->facts, counts};
		else /* nobody has said yet who it is */
			add_counts(&v->ended, &counts);
	}
	v->processes = live->rows;
	v->n_processes = n;
	return count_children(live->rows, n);
}

int live__view(struct live *live, unsigned int ticks, const struct live_view **out)
{
	struct live_view *v = &live->view;
	uint64_t end = live->tick, first;
	int err;

	if (ticks > LIVE_TICKS - 1)
		ticks = LIVE_TICKS - 1;
	first = end < ticks ? 0 : end - ticks;
	*v = (struct live_view){.n = ticks__counts(&live->n, first, end)};
	if (end > first)
		v->seconds = (double)(end_of(live, end - 1) -
				      (first ? end_of(live, first - 1) : live->start)) /
			     1e9;
	err = fill_processes(live, first, end)			   ?:
	      live_sites__view(&live->sites, first, end, &v->sites) ?:
	      live_sites__view(&live->causes, first, end, &v->causes);
	if (!err)
		*out = v;
	return err;
}
