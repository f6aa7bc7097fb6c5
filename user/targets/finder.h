/* SPDX-License-Identifier: MIT */
/*
 * Which processes of this machine are worth watching: those that run Python and have forked, or
 * were forked by one. Looked for again and again, so that services are found that start later;
 * those that have not forked yet are found too, so that their first fork is not missed.
 */
#ifndef COWTRACE_TARGETS_FINDER_H
#define COWTRACE_TARGETS_FINDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct finder;

/* More that have not forked are not looked after: each costs memory in the kernel. */
#define FINDER_MAX_ALONE 64

struct finder_target {
	pid_t pid;
	bool alone; /* runs Python, but has not forked */
};

/* Instead of every Python that forks: processes of these names, or in these cgroups. */
struct finder_choice {
	const char *const *names; /* as ps -o comm shows them */
	size_t n_names;
	const char *const *cgroups; /* paths as in /proc/PID/cgroup, and what is below them */
	size_t n_cgroups;
};

/* choice: must outlive it; NULL or empty: every Python that forks. 0 or -ENOMEM. */
int finder__new(const struct finder_choice *choice, struct finder **out);
void finder__free(struct finder *finder);

/*
 * All that live now, without cowtrace itself and those that it was started by; valid until the next
 * call. Costs one small read for each process, more for new ones only. Made for once a second. 0 or
 * -errno.
 */
int finder__look(struct finder *finder, const struct finder_target **out, size_t *n);

/* How many processes may not be looked into, for lack of privileges. */
size_t finder__closed(const struct finder *finder);

#endif
