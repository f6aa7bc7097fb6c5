/* SPDX-License-Identifier: MIT */
/*
 * Where a CPython keeps a thread's state in thread-local storage (3.12+). The variables are hidden
 * and their symbols often stripped, but exported functions of a few instructions return them.
 */
#ifndef COWTRACE_PYTHON_TLS_H
#define COWTRACE_PYTHON_TLS_H

#include <stdbool.h>
#include <stdint.h>

struct elf_file;
struct mem_source;

enum py_tls_variable {
	PY_TLS_ATTACHED, /* _Py_tss_tstate (3.12+): NULL while the thread has released the GIL */
	PY_TLS_BOUND,	 /* _Py_tss_gilstate (3.15+): attached or not */
};

struct py_tls {
	bool found;
	/* 0: at thread pointer + offset; else at offset in that module's block of the thread. */
	uint32_t module;
	int64_t offset;
};

/*
 * Finds a variable in a file that is loaded with that bias. 0; -ENOENT: not there, or the function
 * is of no shape that is understood (out->found is false); -EAGAIN: the loader is not done with the
 * file yet; errors of mem__read.
 */
int py_tls__find(const struct elf_file *elf, uint64_t bias, const struct mem_source *mem,
		 enum py_tls_variable variable, struct py_tls *out);

#endif
