/* SPDX-License-Identifier: MIT */
/* What is done again and again while tracing goes on, and how often. */
#include "pipeline_parts.h"

#include "base/clock.h"
#include "capture/session.h"
#include "enrich/enrich.h"
#include "event/settle.h"
#include "ledger.h"
#include "model/aggregate.h"
#include "store/writer.h"

/* A correction of a copy follows within its page fault; but see settle.c for threads that race. */
#define SETTLE_NS 50000000ull
/*
 * What a copy does not say by itself is read from its process: the sooner the better, and at least
 * before it ends. Who has lived for half a second will most likely live for a twentieth of one
 * more; to wake twenty times a second costs a thousandth of a core.
 */
#define STEP_MS	      20
#define STEP_YOUNG_MS 3
#define STEP_CALM_MS  50
#define CALM_NS	      500000000ull

static void on_sample(void *ctx, uint32_t pid, uint64_t time, uint64_t new_bytes)
{
	struct pipeline *p = ctx;
	uint32_t number = aggregate__sample(p->model, pid, time, new_bytes);

	if (p->writer)
		writer__sample(p->writer, number, pid, time, new_bytes);
}

int pipeline__step(struct pipeline *p)
{
	uint64_t now = clock__now_ns();
	unsigned int records = session__consume(p->session);

	p->records += records;
	settle__flush(p->settle, now - SETTLE_NS);
	if (!p->groups)
		ledger__sample(p->ledger, p->tree, now, on_sample, p);
	if (p->writer)
		writer__tick(p->writer, now);
	if (p->groups && records >= PIPELINE_RECORDS) /* there is more */
		return 0;
	if (enrich__tick(p->enrich, now))
		return STEP_YOUNG_MS;
	return p->stirred + CALM_NS < now ? STEP_CALM_MS : STEP_MS;
}
