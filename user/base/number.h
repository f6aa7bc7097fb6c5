/* SPDX-License-Identifier: MIT */
/* Numbers for people. Returned by value, so that several fit into one printf: number__count(n).s */
#ifndef COWTRACE_BASE_NUMBER_H
#define COWTRACE_BASE_NUMBER_H

#include <stdint.h>

struct number {
	char s[32];
};

struct number number__count(uint64_t n);		      /* "234,611" */
struct number number__mib(uint64_t bytes);		      /* "1,024.5": MiB with one decimal */
struct number number__kib(uint64_t bytes);		      /* the same in KiB */
struct number number__bytes(uint64_t bytes);		      /* "12.0 KiB", "1,024.5 MiB" */
struct number number__percent(uint64_t part, uint64_t whole); /* "97.9"; never rounds to 0 or 100 */

#endif
