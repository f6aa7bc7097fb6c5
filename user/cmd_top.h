/* SPDX-License-Identifier: MIT */
#ifndef COWTRACE_CMD_TOP_H
#define COWTRACE_CMD_TOP_H

struct options;

/* cowtrace top: what happens now, in the terminal. Returns the exit status. */
int cmd_top(const struct options *opt);

#endif
