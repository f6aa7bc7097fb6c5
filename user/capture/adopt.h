/* SPDX-License-Identifier: MIT */
/* Getting hold of processes that run already: the passes of bpf/adopt.bpf.h. */
#ifndef COWTRACE_CAPTURE_ADOPT_H
#define COWTRACE_CAPTURE_ADOPT_H

#include <stddef.h>
#include <sys/types.h>

struct cowtrace;

/* Of these nothing is counted before adopt__end. As session__adopt. */
int adopt__all(struct cowtrace *skel, const pid_t *pids, size_t n);
void adopt__end(struct cowtrace *skel);

#endif
