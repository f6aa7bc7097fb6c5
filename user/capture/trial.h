/* SPDX-License-Identifier: MIT */
/* Tries a witness on this kernel: by loading and attaching its programs, and by nothing less. */
#ifndef COWTRACE_CAPTURE_TRIAL_H
#define COWTRACE_CAPTURE_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

struct cowtrace;
struct kernel;
struct kinds;
struct session_options;
struct witness;

/* Takes libbpf's messages; verbose: shows them, too. */
void trial__listen(bool verbose);

/* 0: its programs run, *skel is to be destroyed, and kinds says what else they see. Else one line
 * in why, and nothing is left behind.
 */
int trial__start(const struct witness *w, struct kernel *kernel, const struct session_options *opt,
		 struct cowtrace **skel, struct kinds *kinds, char *why, size_t why_size);

/* One line for a person, of what libbpf said last: for the ring buffers. */
void trial__explain_rings(struct kernel *kernel, int err, char *why, size_t size);

#endif
