/* SPDX-License-Identifier: MIT */
/* Where the C library of a process keeps what Python's threads ask it for. */
#ifndef COWTRACE_PYTHON_LIBC_H
#define COWTRACE_PYTHON_LIBC_H

#include <stdint.h>

struct elf_cache;
struct maps;

/*
 * Offset in glibc's struct pthread, at which the thread pointer points, of the values of the first
 * 32 keys of pthread_getspecific(); 0: not glibc (musl), or not known. executable: the path in the
 * maps of a program that may be linked statically.
 */
uint32_t libc__pthread_specific(struct elf_cache *elves, int root, const struct maps *maps,
				const char *executable);

#endif
