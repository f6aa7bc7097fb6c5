/* SPDX-License-Identifier: MIT */
#include "cmd_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/session.h"
#include "cli.h"
#include "launch.h"
#include "outputs.h"
#include "pipeline.h"
#include "proc/delayacct.h"

/* How long to wait for the rest of the tree when the command itself has ended. */
#define LAST_WORDS_MS 250

struct run {
	const struct options *opt;
	struct outputs *outputs;
	struct pipeline *pipeline;
	struct launch *launch;
	sigset_t signals;
	int signal_fd;
	unsigned int interrupts;
	int delayacct; /* see delayacct__hold */
	int status;
};

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static int run__catch_signals(struct run *run)
{
	sigemptyset(&run->signals);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&run->signals, forwarded[i]);
	if (sigprocmask(SIG_BLOCK, &run->signals, NULL))
		return -errno;
	run->signal_fd = signalfd(-1, &run->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signal_fd < 0 ? -errno : 0;
}

/* A signal from the terminal reaches the command too, as it is in the same process group. */
static void run__signal(struct run *run)
{
	struct signalfd_siginfo info;

	if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_code != SI_KERNEL)
		launch__signal(run->launch, info.ssi_signo);
	if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM)
		run->interrupts++;
}

static void run__wait(struct run *run, int timeout_ms, bool command)
{
	int rings[PIPELINE_FDS];
	struct pollfd fds[PIPELINE_FDS + 2];
	nfds_t n = 0;

	pipeline__fds(run->pipeline, rings);
	for (int i = 0; i < PIPELINE_FDS; i++)
		fds[n++] = (struct pollfd){.fd = rings[i], .events = POLLIN};
	fds[n++] = (struct pollfd){.fd = run->signal_fd, .events = POLLIN};
	if (command)
		fds[n++] = (struct pollfd){.fd = launch__fd(run->launch), .events = POLLIN};
	if (poll(fds, n, timeout_ms) > 0 && fds[PIPELINE_FDS].revents)
		run__signal(run);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static void run__trace(struct run *run)
{
	uint64_t deadline;

	while (run->status < 0 && run->interrupts < 2) {
		run__wait(run, pipeline__step(run->pipeline), true);
		run->status = launch__reap(run->launch);
	}
	deadline = now_ms() + LAST_WORDS_MS;
	pipeline__step(run->pipeline);
	while (pipeline__living(run->pipeline) && run->interrupts < 2 && now_ms() < deadline) {
		run__wait(run, 5, false);
		pipeline__step(run->pipeline);
	}
}

/* Open program files are kept by the hundred; the command has been forked with the limit as it was.
 */
static void run__raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void run__delayacct(struct run *run)
{
	if (!run->opt->delayacct)
		return;
	run->delayacct = delayacct__hold();
	/* If root has switched it on, the others have its count as well. */
	if (run->delayacct < 0 && delayacct__get() != 1)
		log_warn("delay accounting cannot be switched on (%s), so there is no count of the "
			 "kernel to compare with; as root: sysctl kernel.task_delayacct=1",
			 strerror(-run->delayacct));
}

static int run__open(struct run *run)
{
	struct session_options sopt = {
		.witness = run->opt->witness,
		.ring_size = run->opt->ring_size,
		.verbose = run->opt->verbose > 1,
	};
	char why[512] = "out of memory";
	int err = outputs__open(run->opt, &run->outputs);

	if (err)
		return err; /* has been said */
	err = pipeline__new(&sopt, &run->pipeline, why, sizeof(why));
	if (!err)
		err = run__catch_signals(run);
	run__delayacct(run);
	if (!err)
		err = launch__prepare(run->opt->argv, run->opt->user, &run->signals, &run->launch,
				      why, sizeof(why));
	run__raise_limits();
	if (err)
		return log_err_r(err, "%s", why);
	err = pipeline__trace_from_exec(run->pipeline, launch__pid(run->launch));
	return err ? log_err_r(err, "cannot trace the command: %s", strerror(-err)) : 0;
}

static void run__report(struct run *run)
{
	const struct snapshot *snap;

	pipeline__finish(run->pipeline);
	if (pipeline__snapshot(run->pipeline, &snap)) {
		log_error("out of memory: no report");
		run->status = STATUS_RUN_FAILED;
	} else if (outputs__write(run->outputs, run->opt, snap)) {
		run->status = STATUS_RUN_FAILED;
	}
}

static void run__close(struct run *run)
{
	if (run->delayacct >= 0)
		delayacct__release(run->delayacct);
	launch__free(run->launch);
	pipeline__free(run->pipeline);
	outputs__free(run->outputs);
	if (run->signal_fd >= 0)
		close(run->signal_fd);
}

int cmd_run(const struct options *opt)
{
	struct run run = {.opt = opt, .status = -1, .signal_fd = -1, .delayacct = -1};
	int err;

	err = run__open(&run);
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
	run__report(&run);
	if (run.status < 0) /* interrupted twice, and it still runs */
		run.status = 128 + SIGINT;
out:
	run__close(&run);
	return run.status;
}
