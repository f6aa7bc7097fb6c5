/* SPDX-License-Identifier: MIT */
/* Finds the CPython runtime in a process: its file, its version, the address of _PyRuntime. */
#ifndef COWTRACE_PYTHON_RUNTIME_H
#define COWTRACE_PYTHON_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "python/tls.h"

struct elf_cache;
struct maps;

struct py_runtime {
	uint32_t hexversion; /* as PY_VERSION_HEX: 0x030b02f0 is 3.11.2 */
	bool free_threaded;
	bool debug_build; /* Py_DEBUG: the same layout, with the allocator's debug hooks on */
	bool trace_refs; /* Py_TRACE_REFS up to 3.12: all members of objects lie 16 bytes further in
			  */
	bool large_mutexes;	   /* see struct py_mutex_shift */
	uint32_t self_below;	   /* see libc__self_below */
	uint32_t pthread_specific; /* see libc__pthread_specific; 0: musl or unknown */
	uint64_t runtime;	   /* address of _PyRuntime in the process */
	uint64_t size;		   /* of _PyRuntime; 0: unknown */
	uint64_t bias;		   /* load bias of the file that holds it */
	/* The main interpreter's state, which lies in _PyRuntime at a place that moves with patch
	 * releases; 0: unknown (an unfamiliar build that has not initialised itself yet), or
	 * allocated elsewhere (up to 3.10). */
	uint64_t main_interpreter;
	struct py_tls attached, bound; /* 3.12+, 3.15+ */
	char version[32];	       /* "3.11.2", "3.13.5t" */
	char path[512];		       /* file that holds it, as the process sees it; valid UTF-8 */
};

/*
 * Looks through the mappings of pid (itself or an ancestor with the same image) for a file that
 * defines _PyRuntime. 0; -ENOENT: no Python there (yet); -EINVAL: a Python, but its version can not
 * be told; other errors of elf_cache__get. Versions are told from Py_Version (3.11+), from
 * _Py_DebugOffsets (3.13+), from the code of Py_GetVersion(), else from the name of the file.
 */
int py_runtime__find(struct elf_cache *elves, int root, pid_t pid, const struct maps *maps,
		     struct py_runtime *out);
/* The same, for a second one in the same process: any but that at address known, in the executable
 * or in a libpython. */
int py_runtime__find_other(struct elf_cache *elves, int root, pid_t pid, const struct maps *maps,
			   uint64_t known, struct py_runtime *out);

#endif
