/* SPDX-License-Identifier: MIT */
/*
 * Wires it all: capture -> event -> enrich -> cause -> model. The only unit that knows all layers;
 * commands drive it and hand its snapshot to the sinks.
 */
#ifndef COWTRACE_PIPELINE_H
#define COWTRACE_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pipeline;
struct session_options;
struct snapshot;

/* As session__open: why says in one line what failed. */
int pipeline__new(const struct session_options *opt, struct pipeline **out, char *why,
		  size_t why_size);
void pipeline__free(struct pipeline *p);

/* Saves what is traced to a file, from now on. 0, or -errno with one line in why. */
int pipeline__save(struct pipeline *p, const char *path, char *why, size_t why_size);
/* Ends that file, after the last snapshot. 0, or -EIO if it is not whole; has been said. */
int pipeline__saved(struct pipeline *p, const struct snapshot *last);

/* Traces a stopped launcher from its next exec on. */
int pipeline__trace_from_exec(struct pipeline *p, pid_t pid);
/*
 * Traces processes that run, with all below them. -ESRCH: all of them have ended meanwhile; or an
 * error of session__adopt.
 */
int pipeline__attach(struct pipeline *p, const pid_t *pids, size_t n);

#define PIPELINE_FDS 2
/* Wait for these (POLLIN), at most the milliseconds that pipeline__step has returned. */
void pipeline__fds(const struct pipeline *p, int fds[PIPELINE_FDS]);
/* Handles what has arrived. Returns how long to wait for more, ms. */
int pipeline__step(struct pipeline *p);
/* How many traced processes live. */
unsigned int pipeline__living(const struct pipeline *p);

/* Stops tracing and handles the rest; afterwards only the snapshot may be asked for. */
void pipeline__finish(struct pipeline *p);
/* 0 or -ENOMEM; *out is valid until pipeline__free. */
int pipeline__snapshot(struct pipeline *p, const struct snapshot **out);

#endif
