/* SPDX-License-Identifier: MIT */
#ifndef COWTRACE_CMD_RUN_H
#define COWTRACE_CMD_RUN_H

struct options;

/* cowtrace run: traces a command and all that it forks. Returns the exit status. */
int cmd_run(const struct options *opt);

#endif
