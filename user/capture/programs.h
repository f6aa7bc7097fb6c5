/* SPDX-License-Identifier: MIT */
/* The programs, in the build that suits this kernel: see bpf/task.bpf.h. */
#ifndef COWTRACE_CAPTURE_PROGRAMS_H
#define COWTRACE_CAPTURE_PROGRAMS_H

struct cowtrace;

/* In the place of cowtrace__open(): NULL and errno if it fails. */
struct cowtrace *programs__open(void);

#endif
