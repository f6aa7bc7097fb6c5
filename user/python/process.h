/* SPDX-License-Identifier: MIT */
/* The Python that a process runs, looked for from nothing but its number. */
#ifndef COWTRACE_PYTHON_PROCESS_H
#define COWTRACE_PYTHON_PROCESS_H

#include <sys/types.h>

struct elf_cache;
struct maps;

/* Notes in the maps which files they show: the very ones that are mapped, wherever they are now. */
void py_process__sight(struct elf_cache *elves, int root, pid_t pid, struct maps *maps);

/*
 * 0: it runs a CPython, of whatever version; -ENOENT: none, or it is not loaded yet; -ESRCH,
 * -EACCES, -ENOMEM. Cheap where no file that is mapped has to do with Python, to go by its name.
 */
int py_process__look(struct elf_cache *elves, pid_t pid);

#endif
