/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own count of copies (wpcopy_count) exists only while delay accounting is switched
 * on, for tasks made since: sysctl kernel.task_delayacct, system-wide. Several cowtraces may want
 * it at once: the last one that lets go puts it back.
 */
#ifndef COWTRACE_PROC_DELAYACCT_H
#define COWTRACE_PROC_DELAYACCT_H

/* Whether it is on: 1 or 0, -ENOENT if this kernel can not switch it. */
int delayacct__get(void);

/* Switches it on, if it is not. A descriptor for delayacct__release, or -errno. */
int delayacct__hold(void);
void delayacct__release(int hold);

#endif
