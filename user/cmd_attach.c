/* SPDX-License-Identifier: MIT */
#include "cmd_attach.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/log.h"
#include "cli.h"
#include "cmd_tracing.h"
#include "pipeline.h"
#include "proc/target.h"

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/* -EINVAL: it makes no sense to trace one of them; -ESRCH: one is not there. */
static int attach__check(const struct options *opt)
{
	char why[256];
	int err = 0;

	for (size_t i = 0; i < opt->n_pids && !err; i++) {
		err = target__check(opt->pids[i], why, sizeof(why));
		if (err)
			log_error("%s", why);
	}
	return err;
}

static int attach__open(struct tracing *t, const struct options *opt)
{
	int err = tracing__open(t, opt, endings, sizeof(endings) / sizeof(endings[0]));

	if (err)
		return err;
	tracing__raise_limits();
	err = pipeline__attach(t->pipeline, opt->pids, opt->n_pids);
	if (err == -ESRCH)
		log_error("there is nothing left to trace");
	else if (err)
		log_error("cannot get hold of these processes: %s", strerror(-err));
	else
		log_info("attached: processes that are traced: %u", pipeline__living(t->pipeline));
	return err;
}

/* Until somebody says so, the time is over, or nobody is left. */
static void attach__trace(struct tracing *t, const struct options *opt)
{
	uint64_t start = tracing__now_ms(), past = 0;
	struct signalfd_siginfo info;
	bool interrupted = false;

	while (!interrupted && pipeline__living(t->pipeline) &&
	       (!opt->for_ms || past < opt->for_ms)) {
		int wait = pipeline__step(t->pipeline);

		if (opt->for_ms && opt->for_ms - past < (uint64_t)wait)
			wait = (int)(opt->for_ms - past);
		interrupted = tracing__wait(t, wait, -1, &info);
		past = tracing__now_ms() - start;
	}
}

static int attach__status(const struct tracing *t, int err)
{
	if (!err)
		return STATUS_OK;
	if (!t->refused)
		return err == -EINVAL ? STATUS_USAGE : STATUS_FAILURE;
	log_error("`cowtrace check` says what this system lacks");
	return STATUS_UNSUPPORTED;
}

int cmd_attach(const struct options *opt)
{
	struct tracing t;
	int err = attach__check(opt);

	if (err)
		return err == -EINVAL ? STATUS_USAGE : STATUS_FAILURE;
	err = attach__open(&t, opt);
	if (!err) {
		attach__trace(&t, opt);
		err = tracing__report(&t);
	}
	tracing__close(&t);
	return attach__status(&t, err);
}
