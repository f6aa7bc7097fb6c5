/* SPDX-License-Identifier: MIT */
#include "base/number.h"

#include <inttypes.h>
#include <stdbool.h>
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

/* With one decimal, in units of 2^shift. */
static struct number tenths(uint64_t n, unsigned int shift)
{
	uint64_t whole = n >> shift, rest = n & ((1ull << shift) - 1);
	uint64_t all = whole * 10 + ((rest * 10 + (1ull << (shift - 1))) >> shift);
	struct number out = number__count(all / 10);
	size_t len = strlen(out.s);

	snprintf(out.s + len, sizeof(out.s) - len, ".%" PRIu64, all % 10);
	return out;
}

struct number number__mib(uint64_t bytes)
{
	return tenths(bytes, 20);
}

struct number number__kib(uint64_t bytes)
{
	return tenths(bytes, 10);
}

struct number number__bytes(uint64_t bytes)
{
	bool small = bytes && bytes < 1u << 20;
	struct number out = small ? number__kib(bytes) : number__mib(bytes);

	strcat(out.s, small ? " KiB" : " MiB");
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
