/* SPDX-License-Identifier: MIT */
#ifndef COWTRACE_CMD_CHECK_H
#define COWTRACE_CMD_CHECK_H

struct options;

/* cowtrace check: says what this machine offers and what to fix. Returns the exit status. */
int cmd_check(const struct options *opt);

#endif
