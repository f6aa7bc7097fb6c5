/* SPDX-License-Identifier: MIT */
#include "cmd_run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli.h"
#include "cmd_tracing.h"
#include "launch.h"
#include "pipeline.h"

/* How long to wait for the rest of the tree when the command itself has ended. */
#define LAST_WORDS_MS 250

struct run {
	struct tracing tracing;
	struct launch *launch;
	unsigned int interrupts;
	int status;
};

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

/* A signal from the terminal reaches the command too, as it is in the same process group. */
static void run__signal(struct run *run, const struct signalfd_siginfo *info)
{
	if (info->ssi_code != SI_KERNEL)
		launch__signal(run->launch, info->ssi_signo);
	if (info->ssi_signo == SIGINT || info->ssi_signo == SIGTERM)
		run->interrupts++;
}

static void run__wait(struct run *run, int timeout_ms, int command)
{
	struct signalfd_siginfo info;

	if (tracing__wait(&run->tracing, timeout_ms, command, &info))
		run__signal(run, &info);
}

static void run__trace(struct run *run)
{
	struct pipeline *pipeline = run->tracing.pipeline;
	uint64_t deadline;

	while (run->status < 0 && run->interrupts < 2) {
		run__wait(run, pipeline__step(pipeline), launch__fd(run->launch));
		run->status = launch__reap(run->launch);
	}
	deadline = clock__now_ms() + LAST_WORDS_MS;
	pipeline__step(pipeline);
	while (pipeline__living(pipeline) && run->interrupts < 2 && clock__now_ms() < deadline) {
		run__wait(run, 5, -1);
		pipeline__step(pipeline);
	}
}

static int run__open(struct run *run, const struct options *opt)
{
	struct tracing *t = &run->tracing;
	char why[512] = "out of memory";
	int err;

	err = tracing__open(t, opt, forwarded, sizeof(forwarded) / sizeof(forwarded[0]));
	if (err)
		return err;
	err = launch__prepare(opt->argv, opt->user, &t->signals, &run->launch, why, sizeof(why));
	if (err)
		return log_err_r(err, "%s", why);
	tracing__raise_limits();
	tracing__hurry();
	err = pipeline__trace_from_exec(t->pipeline, launch__pid(run->launch));
	return err ? log_err_r(err, "cannot trace the command: %s", strerror(-err)) : 0;
}

int cmd_run(const struct options *opt)
{
	struct run run = {.status = -1};
	int err;

	err = run__open(&run, opt);
	if (err) { /* -EINVAL: an option names what is not there */
		run.status = err == -EINVAL ? STATUS_USAGE : STATUS_RUN_FAILED;
		goto out;
	}
	err = launch__go(run.launch);
	if (err) {
		log_error("cannot run %s: %s", opt->argv[0], strerror(-err));
		run.status = err == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
		goto out;
	}
	run__trace(&run);
	if (tracing__report(&run.tracing))
		run.status = STATUS_RUN_FAILED;
	if (run.status < 0) /* interrupted twice, and it still runs */
		run.status = 128 + SIGINT;
out:
	launch__free(run.launch);
	tracing__close(&run.tracing);
	return run.status;
}
