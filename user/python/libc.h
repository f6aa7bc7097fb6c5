/* SPDX-License-Identifier: MIT */
/* Where the C library of a process keeps what Python's threads ask it for. */
#ifndef COWTRACE_PYTHON_LIBC_H
#define COWTRACE_PYTHON_LIBC_H

#include <stddef.h>
#include <stdint.h>

struct elf_cache;
struct maps;

/*
 * How far below the thread pointer the address lies that pthread_self() returns: 0 on x86-64, and
 * where the C library does not tell. executable: as below. 0, or -EAGAIN: none is mapped yet.
 */
int libc__self_below(struct elf_cache *elves, int root, const struct maps *maps,
		     const char *executable, uint32_t *out);
/* The same, of the code of pthread_self() on arm64. */
uint32_t libc__self_of_code(const uint32_t *code, size_t words);

/*
 * Offset in glibc's struct pthread, whose address is pthread_self(), of the values of the first
 * 32 keys of pthread_getspecific(); 0: not glibc (musl), or not known. executable: the path in the
 * maps of a program that may be linked statically.
 */
uint32_t libc__pthread_specific(struct elf_cache *elves, int root, const struct maps *maps,
				const char *executable);

#endif
