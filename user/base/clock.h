/* SPDX-License-Identifier: MIT */
/* The time. Without a clock in the name: CLOCK_MONOTONIC, which the records of the kernel side
 * have, too. */
#ifndef COWTRACE_BASE_CLOCK_H
#define COWTRACE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds. */
static inline uint64_t clock__read(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t clock__now_ns(void)
{
	return clock__read(CLOCK_MONOTONIC);
}

static inline uint64_t clock__now_ms(void)
{
	return clock__now_ns() / 1000000;
}

#endif
