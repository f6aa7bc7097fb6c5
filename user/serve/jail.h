/* SPDX-License-Identifier: MIT */
/* What the process that speaks HTTP may do: next to nothing, and never more again. */
#ifndef COWTRACE_SERVE_JAIL_H
#define COWTRACE_SERVE_JAIL_H

/*
 * Gives up, for good: the user (if it is root: for nobody), groups, all capabilities, core files,
 * more than so many descriptors, files that can be written and processes that can be forked. 0 or
 * -errno.
 */
int jail__drop(unsigned int max_fds);

/* From here on only system calls for sockets that are open, memory and the clock. 0 or -errno. */
int jail__seal(void);

#endif
