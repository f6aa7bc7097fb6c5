/* SPDX-License-Identifier: MIT */
/* Of two Pythons in one process: which of them runs? */
#ifndef COWTRACE_PYTHON_ACTIVITY_H
#define COWTRACE_PYTHON_ACTIVITY_H

#include <stdbool.h>
#include <stdint.h>

struct mem_source;
struct py_offsets;

/* Has a thread of the main interpreter a frame at this moment, other than shims of the interpreter?
 */
bool py_activity__runs(const struct mem_source *mem, const struct py_offsets *off,
		       uint64_t runtime);

#endif
