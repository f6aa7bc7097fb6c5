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

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

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
