/* SPDX-License-Identifier: MIT */
#ifndef COWTRACE_CMD_ATTACH_H
#define COWTRACE_CMD_ATTACH_H

struct options;

/* cowtrace attach: traces processes that run, and all below them. Returns the exit status. */
int cmd_attach(const struct options *opt);

#endif
