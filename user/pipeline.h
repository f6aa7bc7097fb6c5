/* SPDX-License-Identifier: MIT */
/*
 * Wires it all: capture -> event -> enrich -> cause -> model. The only unit that knows all layers;
 * commands drive it and hand its snapshot to the sinks.
 */
#ifndef COWTRACE_PIPELINE_H
#define COWTRACE_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct live;
struct metrics;
struct pipeline;
struct session_options;
struct snapshot;
struct snapshot_capture;

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

/*
 * The same in parts, for those who find more processes while they trace: the beginning, at which
 * none need be there, and any number of adoptions. What is traced already goes on being counted
 * meanwhile. After an error of session__adopt: to be tried again, a while later.
 */
void pipeline__begin(struct pipeline *p);
int pipeline__adopt(struct pipeline *p, const pid_t *pids, size_t n);
/* Is there a traced process with this pid that lives? */
bool pipeline__traces(const struct pipeline *p, pid_t pid);

#define PIPELINE_FDS 2
/* Wait for these (POLLIN), at most the milliseconds that pipeline__step has returned. */
void pipeline__fds(const struct pipeline *p, int fds[PIPELINE_FDS]);
/* Handles what has arrived. Returns how long to wait for more, ms. */
int pipeline__step(struct pipeline *p);
/* Whom it began with. Foreign text. */
const char *pipeline__name(const struct pipeline *p, uint32_t *pid);
/* How many traced processes live. */
unsigned int pipeline__living(const struct pipeline *p);

/*
 * For those who look while tracing goes on: counts are kept for them from now on. Each second they
 * call pipeline__tick, which says how the processes are doing and ends a tick of *out; costs as
 * much as there are living processes, whatever was counted. 0 or -ENOMEM.
 */
int pipeline__watch(struct pipeline *p, struct live **out);
void pipeline__tick(struct pipeline *p);
/* The rest of what there is to say while tracing goes on. */
void pipeline__capture(struct pipeline *p, struct snapshot_capture *out);

/*
 * For those who trace for months: counts by service instead of by process, in bounded memory. To be
 * called first of all. name: what a process that lives belongs to; those that it forks belong to
 * it, too. 0 or -ENOMEM.
 */
typedef void (*pipeline_namer)(pid_t pid, const char *command, char *name, size_t size);
int pipeline__group(struct pipeline *p, pipeline_namer name);
/* How the services are doing now; costs as much as there are living processes. */
void pipeline__look(struct pipeline *p);
/*
 * Forgets what is known of programs, and the profiles: what is needed is asked for anew. Counters
 * go on. For those who have grown. 0, or, and all is as before: -EBUSY, a window is open; -ENOMEM.
 */
int pipeline__renew(struct pipeline *p);
/* All that is known here; valid until the next call on p. */
void pipeline__metrics(struct pipeline *p, struct metrics *out);
/* A snapshot of the services since the start; valid until the next one. 0 or -ENOMEM. */
int pipeline__services(struct pipeline *p, const struct snapshot **out);

/* The same of what happens from now on: an index, or -EBUSY, -ENOMEM. */
#define PIPELINE_WINDOWS 4
int pipeline__window_open(struct pipeline *p);
int pipeline__window(struct pipeline *p, int window, const struct snapshot **out);
void pipeline__window_close(struct pipeline *p, int window);

/* Stops tracing and handles the rest; afterwards only the snapshot may be asked for. */
void pipeline__finish(struct pipeline *p);
/* 0 or -ENOMEM; *out is valid until pipeline__free. */
int pipeline__snapshot(struct pipeline *p, const struct snapshot **out);

#endif
