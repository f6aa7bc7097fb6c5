/* SPDX-License-Identifier: MIT */
/*
 * Are these the offsets of that process? For versions and builds whose offsets nobody has compared
 * with the real thing: its own memory must make sense when read with them.
 */
#ifndef COWTRACE_PYTHON_PROOF_H
#define COWTRACE_PYTHON_PROOF_H

#include <stdint.h>

struct mem_source;
struct py_offsets;

/*
 * From the runtime to its interpreters, to their threads and back, and along the frames of a thread
 * to code objects with names. 0; -EAGAIN: the interpreter has not begun yet, or
 * runs no Python code right now that would prove it; -EINVAL: no, and *what
 * says where it ended.
 */
int py_proof__check(const struct mem_source *mem, const struct py_offsets *off, uint64_t runtime,
		    const char **what);

#endif
