/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The question and the answer of bpf/ksym.bpf.c. */
#ifndef COWTRACE_SYMBOLS_H
#define COWTRACE_SYMBOLS_H

#include <linux/types.h>

struct ct_symbol {
	char name[64]; /* ends with zeroes */
	__s64 err;     /* -ENOENT: there is none; -EPERM: the addresses are hidden */
	__u64 start;
	char text[96]; /* "name+0x0/0xSIZE" and, of a module, " [module]" */
};

_Static_assert(sizeof(struct ct_symbol) == 176, "ct_symbol layout");

#endif
