/* SPDX-License-Identifier: MIT */
/* Tracing for months: counts by service. Processes come and go; nothing is kept of those that went.
 */
#include "pipeline_parts.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/intern.h"
#include "capture/session.h"
#include "enrich/enrich.h"
#include "event/settle.h"
#include "ledger.h"
#include "model/aggregate.h"
#include "model/facts.h"
#include "model/groups.h"
#include "model/metrics.h"
#include "proc/tree.h"

/* Rows of a profile: with stacks of 30 frames some 10 MiB. */
#define PROFILE_ROWS 8192
#define WINDOW_ROWS  4096

/* Copies of a process that has ended may be on their way; see enrich's KEEP_NS. */
#define FORGET_NS 5000000000ull
#define HAND_NS	  60000000000ull

int pipeline__group(struct pipeline *p, pipeline_namer name)
{
	int err = groups__new(&p->groups);

	if (err)
		return err;
	p->namer = name;
	aggregate__bound(p->model, PROFILE_ROWS);
	enrich__limit(p->enrich);
	session__limit(p->session, PIPELINE_RECORDS);
	return 0;
}

void pipeline__groups_free(struct pipeline *p)
{
	for (int i = 0; i < PIPELINE_WINDOWS; i++)
		pipeline__window_close(p, i);
	groups__free(p->groups);
}

/* --- who belongs to what ------------------------------------------------------ */

static void group_set(struct pipeline *p, struct process *process, unsigned int group)
{
	process->group = group;
	process->grouped = true;
	groups__begin(p->groups, group);
	if (process->exited) /* before it was known what it belongs to */
		pipeline__group_end(p, process);
}

static void group_by_name(struct pipeline *p, struct process *process)
{
	char name[GROUP_NAME];

	p->namer((pid_t)process->pid, process->command, name, sizeof(name));
	group_set(p, process, groups__find(p->groups, name, clock__now_ns()));
}

/* From the oldest ancestor that does not belong to anything yet, down to this one. */
void pipeline__group_begin(struct pipeline *p, struct process *process)
{
	while (p->groups && !process->grouped) {
		struct process *top = process;

		while (top->parent && !top->parent->grouped)
			top = top->parent;
		if (top->parent)
			group_set(p, top, top->parent->group);
		else
			group_by_name(p, top);
	}
}

/* What a master executes is another service; what a worker does belongs to its own. */
void pipeline__group_exec(struct pipeline *p, struct process *process)
{
	if (!p->groups || !process->grouped || process->parent)
		return;
	groups__end(p->groups, process->group, 0, clock__now_ns());
	process->grouped = false;
	group_by_name(p, process);
}

void pipeline__group_end(struct pipeline *p, const struct process *process)
{
	if (p->groups && process->grouped)
		groups__end(p->groups, process->group, process->reuses, process->ended);
}

/* --- copies ------------------------------------------------------------------ */

void pipeline__group_copy(struct pipeline *p, const struct process *process,
			  struct fault_facts *facts, const struct verdict *verdict)
{
	unsigned int group = process && process->grouped ? process->group : GROUP_OTHER;
	uint64_t pages = 1ull << (facts->order <= CT_MAX_ORDER ? facts->order : 0);

	if (!p->groups)
		return;
	groups__copy(p->groups, group, verdict, pages, facts->uncounted);
	/* For the profiles, too, it is the service that has copied. */
	facts->pid = groups__rows(p->groups)[group].number;
	facts->victim = 0;
	for (int i = 0; i < PIPELINE_WINDOWS; i++)
		if (p->windows[i])
			aggregate__add(p->windows[i], facts, verdict);
}

/* --- looking ----------------------------------------------------------------- */

/* One whose end did not find room in the ring. */
static bool has_gone(const struct process *process)
{
	return kill((pid_t)process->pid, 0) && errno == ESRCH;
}

void pipeline__look(struct pipeline *p)
{
	uint64_t now = clock__now_ns();
	struct process_facts facts;

	groups__look_begin(p->groups);
	for (struct process *q = tree__first(p->tree); q; q = q->next) {
		if (!q->exited && p->counters.meta_lost && has_gone(q))
			pipeline__end(p, q, now);
		if (q->exited || !q->grouped)
			continue;
		facts = (struct process_facts){};
		ledger__look(p->ledger, p->session, q, &facts);
		groups__python(p->groups, q->group,
			       enrich__python(p->enrich, q, &facts.python_problem));
		groups__look(p->groups, q->group, &facts);
	}
	groups__look_end(p->groups);
	if (now > HAND_NS)
		tree__forget(p->tree, now - FORGET_NS, now - HAND_NS);
}

void pipeline__metrics(struct pipeline *p, struct metrics *out)
{
	struct snapshot_capture capture;

	pipeline__capture(p, &capture);
	*out = (struct metrics){
		.version = COWTRACE_VERSION,
		.witness = capture.witness,
		.page_size = (uint32_t)sysconf(_SC_PAGESIZE),
		.groups = groups__rows(p->groups),
		.groups_retired = groups__retired(p->groups),
		.events = p->records,
		.folded = p->folded + aggregate__folded(p->model),
		.renewals = p->renewals,
		.names_lost = p->counters.meta_lost,
		.corrections_lost = p->counters.fixups_lost,
		.retracted = p->counters.retracts,
	};
	out->types = groups__types(p->groups, &out->n_types);
	memcpy(out->lost, capture.lost_by_reason, sizeof(out->lost));
	enrich__layouts(p->enrich, out->layouts);
}

static void publish_groups(struct pipeline *p, struct aggregate *model)
{
	const struct group *rows = groups__rows(p->groups);

	for (size_t i = 0; i < GROUPS_MAX; i++) {
		const struct group *g = &rows[i];
		struct process_facts facts = {
			.pid = g->number,
			.command = intern__str(p->pool, g->name),
			.python = g->python[0] ? intern__str(p->pool, g->python) : NULL,
			.attached = true,
			.group = true,
			.shared_at_fork = g->now.shared_at_fork,
			.shared_now = g->now.shared_now,
			.new_bytes = g->now.fresh,
			.private_before = SNAPSHOT_UNKNOWN,
			.reuses = g->reuses,
		};

		if (g->number && (g->members || aggregate__process_copies(model, g->number)))
			aggregate__process(model, &facts);
	}
}

static int services(struct pipeline *p, struct aggregate *model, uint64_t start,
		    const struct snapshot **out)
{
	struct snapshot_capture capture;
	struct snapshot_host host;

	pipeline__look(p);
	pipeline__host(p, &host);
	pipeline__capture(p, &capture);
	capture.seconds = (double)(clock__now_ns() - start) / 1e9;
	capture.wall_time = clock__read(CLOCK_REALTIME) - (clock__now_ns() - start);
	publish_groups(p, model);
	return aggregate__snapshot(model, &host, &capture, start, out);
}

int pipeline__services(struct pipeline *p, const struct snapshot **out)
{
	return services(p, p->model, p->profiled ?: p->started, out);
}

/* --- forgetting --------------------------------------------------------------- */

struct parts {
	struct intern *pool;
	struct enrich *enrich;
	struct aggregate *model;
};

static void parts__free(struct parts *parts)
{
	enrich__free(parts->enrich);
	aggregate__free(parts->model);
	intern__free(parts->pool);
}

static int parts__new(struct pipeline *p, struct parts *out)
{
	struct parts parts = {};
	int err = intern__new(&parts.pool);

	err = err ?: pipeline__new_enrich(p, parts.pool, &parts.enrich);
	err = err ?: aggregate__new(parts.pool, &parts.model);
	if (!err)
		*out = parts;
	else if (parts.pool)
		parts__free(&parts);
	return err;
}

/* What processes have of the part that goes: enrich__free has taken their images. */
static void forget_strings(struct pipeline *p)
{
	for (struct process *q = tree__first(p->tree); q; q = q->next)
		q->python = q->python_problem = NULL;
}

static void adopt_again(struct pipeline *p)
{
	for (struct process *q = tree__first(p->tree); q; q = q->next) {
		bool forked = q->forked_memory; /* if its parent has ended, this cannot be known */

		if (q->exited || q->image)
			continue;
		enrich__adopted(p->enrich, q, clock__now_ns());
		q->forked_memory = forked;
	}
}

int pipeline__renew(struct pipeline *p)
{
	struct parts old = {p->pool, p->enrich, p->model}, fresh;
	int err;

	for (int i = 0; i < PIPELINE_WINDOWS; i++)
		if (p->windows[i])
			return -EBUSY;
	err = parts__new(p, &fresh);
	if (err)
		return err;
	session__consume(p->session); /* what has come is explained by what is known */
	settle__flush(p->settle, UINT64_MAX);
	p->folded += aggregate__folded(p->model);
	enrich__succeed(fresh.enrich, old.enrich);
	parts__free(&old);
	p->pool = fresh.pool;
	p->enrich = fresh.enrich;
	p->model = fresh.model;
	aggregate__bound(p->model, PROFILE_ROWS);
	enrich__limit(p->enrich);
	p->profiled = clock__now_ns();
	forget_strings(p);
	adopt_again(p);
	enrich__succeeded(p->enrich);
	p->renewals++;
	return 0;
}

/* --- windows ----------------------------------------------------------------- */

int pipeline__window_open(struct pipeline *p)
{
	int i = 0, err;

	while (i < PIPELINE_WINDOWS && p->windows[i])
		i++;
	if (i == PIPELINE_WINDOWS)
		return -EBUSY;
	err = aggregate__new(p->pool, &p->windows[i]);
	if (err)
		return err;
	aggregate__bound(p->windows[i], WINDOW_ROWS);
	p->window_start[i] = clock__now_ns();
	return i;
}

int pipeline__window(struct pipeline *p, int window, const struct snapshot **out)
{
	return services(p, p->windows[window], p->window_start[window], out);
}

void pipeline__window_close(struct pipeline *p, int window)
{
	aggregate__free(p->windows[window]);
	p->windows[window] = NULL;
}
