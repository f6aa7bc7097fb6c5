/* SPDX-License-Identifier: MIT */
/* What comes out of the pipeline: the view of all that was counted, and the recording's end. */
#include "pipeline_parts.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/intern.h"
#include "enrich/source.h"
#include "ledger.h"
#include "model/aggregate.h"
#include "proc/delayacct.h"
#include "proc/tree.h"
#include "store/writer.h"

void pipeline__fill_capture(const struct pipeline *p, struct snapshot_capture *c)
{
	uint64_t end = p->ended ?: clock__now_ns(), start = p->started ?: end;

	c->witness = session__witness(p->session);
	c->witness_limits = session__witness_limits(p->session);
	c->kernel_beyond = session__kernel_beyond(p->session);
	c->witness_note = session__witness_note(p->session);
	c->seconds = (end - start) / 1e9;
	c->wall_time = clock__read(CLOCK_REALTIME) - (clock__now_ns() - start);
	c->reuses = p->counters.reuses + ledger__live_reuses(p->ledger);
	for (int i = 0; i < CT_LOST_MAX; i++)
		c->lost_by_reason[i] = p->counters.lost[i];
	c->lost_by_reason[CT_LOST_BAD_RECORD] += p->bad_records;
	for (int i = 0; i < CT_LOST_MAX; i++)
		c->lost += c->lost_by_reason[i];
	c->kernel_copies = ledger__kernel_copies(p->ledger);
	if (delayacct__get() != 1) /* off, or switched off meanwhile: part of a count is none */
		c->kernel_copies = SNAPSHOT_UNKNOWN;
	if (!session__kernel_counts(p->session))
		c->kernel_reason = "this kernel keeps none (Linux 6.1 and later do)";
	else if (delayacct__get() < 0)
		c->kernel_reason = "this kernel keeps no count";
	else if (delayacct__get() != 1)
		c->kernel_reason = "delay accounting was off: add --delayacct";
	else if (c->kernel_copies == SNAPSHOT_UNKNOWN)
		c->kernel_reason = "some threads are older than the switching on of delay "
				   "accounting";
	else if (p->counters.retracts)
		c->kernel_reason =
			"threads raced for the same pages: the kernel counts the loser too";
}

/* The text of the most important lines, as far as the command's user may read them. */
static void quote_sources(struct pipeline *p, const struct snapshot *snap)
{
	char line[SOURCE_LINE_MAX];

	for (size_t i = 0; i < snap->n_sites && i < SNAPSHOT_SOURCES; i++) {
		const struct snapshot_site *site = &snap->sites[i];

		if (site->file &&
		    !source__line(p->sources, site->file, site->line, line, sizeof(line)))
			aggregate__set_source(p->model, i, intern__str(p->pool, line));
	}
}

void pipeline__host(struct pipeline *p, struct snapshot_host *host)
{
	struct utsname uts;

	uname(&uts);
	*host = (struct snapshot_host){
		.kernel = intern__str(p->pool, uts.release),
		.machine = intern__str(p->pool, uts.machine),
		.page_size = sysconf(_SC_PAGESIZE),
	};
}

int pipeline__snapshot(struct pipeline *p, const struct snapshot **out)
{
	struct snapshot_host host;
	int err;

	pipeline__host(p, &host);
	for (struct process *process = tree__first(p->tree); process; process = process->next)
		pipeline__publish(p, process);
	p->capture = (struct snapshot_capture){};
	pipeline__fill_capture(p, &p->capture);
	err = aggregate__snapshot(p->model, &host, &p->capture, p->started, out);
	if (err)
		return err;
	quote_sources(p, *out);
	return aggregate__advise(p->model);
}

/* --- the file ---------------------------------------------------------------- */

int pipeline__save(struct pipeline *p, const char *path, char *why, size_t why_size)
{
	struct snapshot_capture capture = {
		.witness = session__witness(p->session),
		.witness_limits = session__witness_limits(p->session),
		.witness_note = session__witness_note(p->session),
		.wall_time = clock__read(CLOCK_REALTIME),
		.kernel_copies = SNAPSHOT_UNKNOWN,
	};
	struct snapshot_host host;

	pipeline__host(p, &host);
	return writer__new(path, &host, &capture, &p->writer, why, why_size);
}

int pipeline__saved(struct pipeline *p, const struct snapshot *last)
{
	if (!p->writer)
		return 0;
	for (size_t i = 0; i < last->n_sites; i++) {
		const struct snapshot_site *site = &last->sites[i];

		if (site->source)
			writer__source(p->writer, site->file, site->function, site->line,
				       site->source);
	}
	return writer__finish(p->writer, &p->capture, p->started);
}
