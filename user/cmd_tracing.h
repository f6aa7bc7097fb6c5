/* SPDX-License-Identifier: MIT */
/*
 * What the commands that trace have in common: the pipeline and the outputs, signals as something
 * to wait for, delay accounting, and the report at the end.
 */
#ifndef COWTRACE_CMD_TRACING_H
#define COWTRACE_CMD_TRACING_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct finder;
struct options;
struct outputs;
struct pipeline;
struct signalfd_siginfo;

struct tracing {
	const struct options *opt;
	struct outputs *outputs;
	struct pipeline *pipeline;
	sigset_t signals; /* those that are waited for, blocked */
	int signal_fd;
	int delayacct; /* see delayacct__hold */
	bool refused;  /* tracing__open failed because of this system */
};

/* The processes that were named with -p. 0; -EINVAL: it makes no sense to trace one of them;
 * -ESRCH: one is not there; has been said. */
int tracing__check_targets(const struct options *opt);

/*
 * Everything is ready, nothing is traced. 0 or -errno, of which has been told; -EINVAL: an option
 * names what is not there. To be closed in any case.
 */
int tracing__open(struct tracing *t, const struct options *opt, const int *signals, size_t n);
void tracing__close(struct tracing *t);

/* Open program files are kept by the hundred. Not before a command has been forked, which is to
 * have the limit as it was. */
void tracing__raise_limits(void);
/* Before copies arrive, and after the command was forked, which keeps what it was given. */
void tracing__hurry(void);

/* The processes that were named with -p, besides what is traced. 0 or -errno, of which has been
 * told.
 */
int tracing__take(struct tracing *t, const struct options *opt);
/* Those that the finder finds and that are not traced yet; what fails now will be tried again. */
void tracing__find(struct tracing *t, struct finder *finder);

/*
 * Until there is something to do, but not longer than that. other: one more descriptor, -1: none.
 * True: a signal has come, *info says which.
 */
bool tracing__wait(struct tracing *t, int timeout_ms, int other, struct signalfd_siginfo *info);

/* Stops tracing; writes the report and the outputs. 0 or -errno, of which has been told. */
int tracing__report(struct tracing *t);

/* The exit status of a command that attaches, after an error or 0. */
int tracing__status(const struct tracing *t, int err);

#endif
