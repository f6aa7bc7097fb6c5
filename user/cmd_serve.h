/* SPDX-License-Identifier: MIT */
#ifndef COWTRACE_CMD_SERVE_H
#define COWTRACE_CMD_SERVE_H

struct options;

/* Returns the exit status. */
int cmd_serve(const struct options *opt);

#endif
