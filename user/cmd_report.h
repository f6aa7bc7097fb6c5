/* SPDX-License-Identifier: MIT */
/* cowtrace report: the outputs of a recording. */
#ifndef COWTRACE_CMD_REPORT_H
#define COWTRACE_CMD_REPORT_H

struct options;

/* Returns the exit status. */
int cmd_report(const struct options *opt);

#endif
