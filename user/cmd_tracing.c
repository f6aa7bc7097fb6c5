/* SPDX-License-Identifier: MIT */
#include "cmd_tracing.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "capture/session.h"
#include "cli.h"
#include "outputs.h"
#include "pipeline.h"
#include "proc/delayacct.h"
#include "proc/target.h"
#include "targets/finder.h"

int tracing__check_targets(const struct options *opt)
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

static int tracing__catch_signals(struct tracing *t, const int *signals, size_t n)
{
	sigemptyset(&t->signals);
	for (size_t i = 0; i < n; i++)
		sigaddset(&t->signals, signals[i]);
	if (sigprocmask(SIG_BLOCK, &t->signals, NULL))
		return -errno;
	t->signal_fd = signalfd(-1, &t->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return t->signal_fd < 0 ? -errno : 0;
}

static double milliseconds(const struct timeval *time)
{
	return (double)time->tv_sec * 1e3 + (double)time->tv_usec / 1e3;
}

static double cpu_milliseconds(void)
{
	struct rusage use = {};

	getrusage(RUSAGE_SELF, &use);
	return milliseconds(&use.ru_utime) + milliseconds(&use.ru_stime);
}

/* From here on copies are seen. */
static void say_armed(uint64_t start)
{
	log_info("armed after %lu ms, with %.0f ms of CPU",
		 (unsigned long)(clock__now_ms() - start), cpu_milliseconds());
}

static void say_used(void)
{
	struct rusage use = {};

	getrusage(RUSAGE_SELF, &use);
	log_info("tracing and reporting took %.0f ms of CPU, and at most %ld KiB of memory",
		 cpu_milliseconds(), use.ru_maxrss);
}

static void tracing__delayacct(struct tracing *t)
{
	if (!t->opt->delayacct)
		return;
	t->delayacct = delayacct__hold();
	/* If root has switched it on, the others have its count as well. */
	if (t->delayacct < 0 && delayacct__get() != 1)
		log_warn("delay accounting cannot be switched on (%s), so there is no count of the "
			 "kernel to compare with; as root: sysctl kernel.task_delayacct=1",
			 strerror(-t->delayacct));
}

int tracing__open(struct tracing *t, const struct options *opt, const int *signals, size_t n)
{
	struct session_options sopt = {
		.witness = opt->witness,
		.ring_size = opt->ring_size,
		.verbose = opt->verbose > 1,
		.off = opt->off,
		.plain = opt->plain_reads,
	};
	char why[512] = "out of memory";
	uint64_t start = clock__now_ms();
	int err;

	*t = (struct tracing){.opt = opt, .signal_fd = -1, .delayacct = -1};
	err = outputs__open(opt, &t->outputs);
	if (err)
		return err; /* has been said */
	log__status("loading the programs that trace into the kernel");
	err = pipeline__new(&sopt, &t->pipeline, why, sizeof(why));
	log__status(NULL);
	t->refused = err && err != -EINVAL && err != -ENOMEM;
	if (err)
		return log_err_r(err, "%s", why);
	malloc_trim(0); /* the types and symbols of the kernel */
	if (opt->save)
		err = pipeline__save(t->pipeline, opt->save, why, sizeof(why));
	if (err)
		return log_err_r(err, "%s", why);
	err = tracing__catch_signals(t, signals, n);
	if (err)
		return log_err_r(err, "cannot wait for signals: %s", strerror(-err));
	tracing__delayacct(t);
	say_armed(start);
	return 0;
}

void tracing__close(struct tracing *t)
{
	if (t->pipeline)
		say_used();
	if (t->delayacct >= 0)
		delayacct__release(t->delayacct);
	pipeline__free(t->pipeline);
	outputs__free(t->outputs);
	if (t->signal_fd >= 0)
		close(t->signal_fd);
}

void tracing__raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int tracing__take(struct tracing *t, const struct options *opt)
{
	int err = pipeline__adopt(t->pipeline, opt->pids, opt->n_pids);

	if (!err && !pipeline__living(t->pipeline))
		err = -ESRCH;
	if (err == -ESRCH)
		return log_err_r(err, "there is nothing left to trace");
	return err ? log_err_r(err, "cannot get hold of these processes: %s", strerror(-err)) : 0;
}

static void tracing__adopt(struct tracing *t, const struct finder_target *found, size_t n)
{
	_free_ pid_t *pids = calloc(n + 1, sizeof(*pids));
	size_t fresh = 0;
	int err;

	for (size_t i = 0; pids && i < n; i++)
		if (!pipeline__traces(t->pipeline, found[i].pid))
			pids[fresh++] = found[i].pid;
	if (!fresh)
		return;
	err = pipeline__adopt(t->pipeline, pids, fresh);
	if (err)
		log_info("cannot get hold of %zu processes: %s", fresh, strerror(-err));
}

void tracing__find(struct tracing *t, struct finder *finder)
{
	const struct finder_target *found;
	size_t n;
	int err = finder__look(finder, &found, &n);

	if (err)
		log_warn("cannot look for processes: %s", strerror(-err));
	else
		tracing__adopt(t, found, n);
}

#define HURRY -10

/*
 * On a machine whose CPUs are all busy the scheduler gives the one thread that reads copies no more
 * than each of many workers that make them, and copies are lost: of a million, by four workers on
 * two CPUs, 460,000, and none like this. It needs a few microseconds for a copy, and sleeps else.
 * Who has chosen another priority for cowtrace keeps it; without CAP_SYS_NICE it stays.
 */
void tracing__hurry(void)
{
	errno = 0;
	if (getpriority(PRIO_PROCESS, 0) == 0 && !errno)
		setpriority(PRIO_PROCESS, 0, HURRY);
}

bool tracing__wait(struct tracing *t, int timeout_ms, int other, struct signalfd_siginfo *info)
{
	struct pollfd fds[PIPELINE_FDS + 2];
	int rings[PIPELINE_FDS];
	nfds_t n = 0;

	pipeline__fds(t->pipeline, rings);
	for (int i = 0; i < PIPELINE_FDS; i++)
		fds[n++] = (struct pollfd){.fd = rings[i], .events = POLLIN};
	fds[n++] = (struct pollfd){.fd = t->signal_fd, .events = POLLIN};
	fds[n++] = (struct pollfd){.fd = other, .events = POLLIN}; /* poll skips -1 */
	return poll(fds, n, timeout_ms) > 0 && fds[PIPELINE_FDS].revents &&
	       read(t->signal_fd, info, sizeof(*info)) == sizeof(*info);
}

int tracing__report(struct tracing *t)
{
	const struct snapshot *snap;
	int err;

	log__status("making the report");
	pipeline__finish(t->pipeline);
	err = pipeline__snapshot(t->pipeline, &snap);
	log__status(NULL);
	if (err)
		return log_err_r(-ENOMEM, "out of memory: no report");
	err = outputs__write(t->outputs, t->opt, stderr, snap);
	/* What took the disk's time comes last. */
	return pipeline__saved(t->pipeline, snap) ?: err;
}

int tracing__status(const struct tracing *t, int err)
{
	if (!err)
		return STATUS_OK;
	if (!t->refused)
		return err == -EINVAL ? STATUS_USAGE : STATUS_FAILURE;
	log_error("`cowtrace check` says what this system lacks");
	return STATUS_UNSUPPORTED;
}
