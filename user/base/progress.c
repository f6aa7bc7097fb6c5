/* SPDX-License-Identifier: MIT */
#include "base/progress.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define INTERVAL_MS 1000

static uint64_t now_ms(void)
{
	return clock__read(CLOCK_MONOTONIC_COARSE) / 1000000;
}

uint64_t progress__due(struct progress *p)
{
	uint64_t now = now_ms();

	if (!p->start) {
		p->start = now;
		p->next = now + INTERVAL_MS;
	}
	if (now < p->next)
		return 0;
	p->next = now + INTERVAL_MS;
	return log__has_status() ? (now - p->start) / 1000 : 0;
}
