/* SPDX-License-Identifier: MIT */
#include "cmd_attach.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "base/progress.h"
#include "cli.h"
#include "cmd_tracing.h"
#include "model/snapshot.h"
#include "pipeline.h"
#include "sink/escape.h"

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static int attach__open(struct tracing *t, const struct options *opt)
{
	int err = tracing__open(t, opt, endings, sizeof(endings) / sizeof(endings[0]));

	if (err)
		return err;
	tracing__raise_limits();
	tracing__hurry();
	err = pipeline__attach(t->pipeline, opt->pids, opt->n_pids);
	if (err == -ESRCH)
		log_error("there is nothing left to trace");
	else if (err)
		log_error("cannot get hold of these processes: %s", strerror(-err));
	else
		log_info("attached: processes that are traced: %u", pipeline__living(t->pipeline));
	return err;
}

/* So that the rest of the line fits 80 columns. */
#define NAME_COLUMNS 16

/* "attached to gunicorn [4121] and 3 more · 12 s · 12,345 copies (48.2 MiB) · 0 lost" */
static void attach__say(const struct tracing *t, uint64_t seconds)
{
	struct snapshot_capture capture;
	unsigned int living = pipeline__living(t->pipeline);
	_free_ char *name = NULL;
	char more[32] = "", line[256];
	uint32_t pid;

	pipeline__capture(t->pipeline, &capture);
	name = escape__fit(pipeline__name(t->pipeline, &pid), NAME_COLUMNS, ESCAPE_CUT_END);
	if (living > 1)
		snprintf(more, sizeof(more), " and %u more", living - 1);
	snprintf(line, sizeof(line),
		 "attached to %s [%" PRIu32 "]%s \xc2\xb7 %" PRIu64
		 " s \xc2\xb7 %s copies (%s MiB) \xc2\xb7 %s lost",
		 name ?: "?", pid, more, seconds, number__count(capture.copies).s,
		 number__mib(capture.pages * (uint64_t)sysconf(_SC_PAGESIZE)).s,
		 number__count(capture.lost).s);
	log__status(line);
}

/* Until somebody says so, the time is over, or nobody is left. */
static void attach__trace(struct tracing *t, const struct options *opt)
{
	uint64_t start = clock__now_ms(), past = 0;
	struct signalfd_siginfo info;
	struct progress progress = {};
	bool interrupted = false;

	while (!interrupted && pipeline__living(t->pipeline) &&
	       (!opt->for_ms || past < opt->for_ms)) {
		int wait = pipeline__step(t->pipeline);
		uint64_t seconds = progress__due(&progress);

		if (seconds)
			attach__say(t, seconds);
		if (opt->for_ms && opt->for_ms - past < (uint64_t)wait)
			wait = (int)(opt->for_ms - past);
		interrupted = tracing__wait(t, wait, -1, &info);
		past = clock__now_ms() - start;
	}
	log__status(NULL);
}

int cmd_attach(const struct options *opt)
{
	struct tracing t;
	int err = tracing__check_targets(opt);

	if (err)
		return err == -EINVAL ? STATUS_USAGE : STATUS_FAILURE;
	err = attach__open(&t, opt);
	if (!err) {
		attach__trace(&t, opt);
		err = tracing__report(&t);
	}
	tracing__close(&t);
	return tracing__status(&t, err);
}
