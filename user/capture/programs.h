/* SPDX-License-Identifier: MIT */
/* The programs, in the build that suits this kernel: see bpf/task.bpf.h. */
#ifndef COWTRACE_CAPTURE_PROGRAMS_H
#define COWTRACE_CAPTURE_PROGRAMS_H

#include <stdbool.h>

struct bpf_link;
struct bpf_program;
struct cowtrace;

/* In the place of cowtrace__open(): NULL and errno if it fails. direct: the build that reads by way
 * of the kernel's map of memory, see bpf/direct.bpf.h. */
struct cowtrace *programs__open(bool direct);
/* In the place of cowtrace__destroy(). skel may be NULL. */
void programs__close(struct cowtrace *skel);

/* Where the skeleton keeps the link of a program, and destroys it; NULL: it is not of this one. */
struct bpf_link **programs__link(const struct cowtrace *skel, const struct bpf_program *program);

#endif
