/* SPDX-License-Identifier: MIT */
/* Where functions of the kernel are, asked of the kernel by a BPF program: bpf/ksym.bpf.c. */
#ifndef COWTRACE_CAPTURE_SYMBOLS_H
#define COWTRACE_CAPTURE_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct symbols;

/* 0; -errno: this kernel can not be asked that way. */
int symbols__new(struct symbols **out);
void symbols__free(struct symbols *symbols);

/* [start, end) of a symbol: end is the next one. -ENOENT: there is none; other errors: it could not
 * be asked. */
int symbols__range(struct symbols *symbols, const char *name, uint64_t *start, uint64_t *end);

/* The size in "name+0x0/0xSIZE", 0: it is not that. */
uint64_t symbols__size(const char *text, size_t size);

#endif
