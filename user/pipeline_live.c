/* SPDX-License-Identifier: MIT */
/* What is to be seen while tracing goes on. */
#include "pipeline_parts.h"

#include "base/clock.h"
#include "capture/session.h"
#include "ledger.h"
#include "model/aggregate.h"
#include "model/live.h"
#include "proc/tree.h"

int pipeline__watch(struct pipeline *p, struct live **out)
{
	int err = p->live ? 0 : live__new(clock__now_ns(), &p->live);

	if (!err)
		*out = p->live;
	return err;
}

void pipeline__tick(struct pipeline *p)
{
	struct process_facts facts;

	for (struct process *q = tree__first(p->tree); q; q = q->next) {
		if (q->reported)
			continue;
		pipeline__facts(p, q, &facts);
		ledger__look(p->ledger, p->session, q, &facts);
		live__process(p->live, aggregate__process(p->model, &facts), &facts);
		q->reported = q->exited;
	}
	live__tick(p->live, clock__now_ns());
}

const char *pipeline__name(const struct pipeline *p, uint32_t *pid)
{
	const struct process *first = p->command ?: tree__first(p->tree);

	*pid = first ? first->pid : 0;
	return first ? first->command : "?";
}

void pipeline__capture(struct pipeline *p, struct snapshot_capture *out)
{
	session__counters(p->session, &p->counters);
	*out = (struct snapshot_capture){};
	pipeline__fill_capture(p, out);
	out->kernel_copies =
		SNAPSHOT_UNKNOWN; /* of threads that live, it is asked at the end only */
	out->copies = aggregate__copies(p->model);
	out->pages = aggregate__pages(p->model);
}
