/* SPDX-License-Identifier: MIT */
/* What the code of a short function tells of the thread-local variable that it returns. */
#ifndef COWTRACE_PYTHON_TLS_CODE_H
#define COWTRACE_PYTHON_TLS_CODE_H

#include <stddef.h>
#include <stdint.h>

struct elf_file;

/* Where the variable is, for a thread: the sum of what is set. Addresses are those of the file. */
struct tls_place {
	uint64_t word_at; /* the word that is there: the linker's offset from the thread pointer */
	uint64_t pair_at; /* the thread's block for the tls_index that is there */
	int64_t plus;
};

/* 0, -ENOMEM; -ENOENT: the function at that address is of no shape that is understood. */
int tls_x86__place(const struct elf_file *elf, uint64_t vaddr, struct tls_place *out);
int tls_arm64__place(const struct elf_file *elf, uint64_t vaddr, struct tls_place *out);

#endif
