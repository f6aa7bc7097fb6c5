/* SPDX-License-Identifier: MIT */
/* Starts the traced command: as another user if wanted, held back until tracing is armed. */
#ifndef COWTRACE_LAUNCH_H
#define COWTRACE_LAUNCH_H

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

struct launch;

/*
 * Forks the launcher, which waits. signals: to be unblocked again in the command. 0; -ENOENT: no
 * such user; -errno with one line in why.
 */
int launch__prepare(char **argv, const char *user, const sigset_t *signals, struct launch **out,
		    char *why, size_t why_size);
/* Also ends a launcher that was never let go. */
void launch__free(struct launch *launch);

pid_t launch__pid(const struct launch *launch);
/* Becomes readable when the command has ended. */
int launch__fd(const struct launch *launch);

/* Lets it execute the command. 0, or the error of execvp as -errno. */
int launch__go(struct launch *launch);
void launch__signal(const struct launch *launch, int sig);
/* Status as the shell has it if the command has ended, else -1. */
int launch__reap(struct launch *launch);

#endif
