/* SPDX-License-Identifier: MIT */
#include "base/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct number number__count(uint64_t n)
{
	char digits[24];
	struct number out;
	char *to = out.s;
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return out;
}

struct number number__mib(uint64_t bytes)
{
	uint64_t mib = bytes >> 20, rest = bytes & ((1u << 20) - 1);
	uint64_t tenths = mib * 10 + ((rest * 10 + (1u << 19)) >> 20);
	struct number out = number__count(tenths / 10);
	size_t len = strlen(out.s);

	snprintf(out.s + len, sizeof(out.s) - len, ".%" PRIu64, tenths % 10);
	return out;
}

/* A part is not nothing and not all, so it does not read as 0.0 or 100.0. */
struct number number__percent(uint64_t part, uint64_t whole)
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0;
	struct number out;

	if (part && percent < 0.05)
		strcpy(out.s, "<0.1");
	else if (part < whole && percent >= 99.95)
		strcpy(out.s, "99.9");
	else
		snprintf(out.s, sizeof(out.s), "%.1f", percent);
	return out;
}
