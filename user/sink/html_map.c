/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/pages.h"
#include "model/snapshot.h"
#include "sink/html.h"

/* Of the five megabytes that a report may have. */
#define MAX_BYTES 1000000

struct run {
	uint64_t first, n;
	unsigned int what;
};

static unsigned int log2_of(unsigned int n)
{
	unsigned int log = 0;

	while (n >>= 1)
		log++;
	return log;
}

static void put_number(FILE *out, uint64_t value)
{
	while (value > 127) {
		fputc((int)(value & 127) | 128, out);
		value >>= 7;
	}
	fputc((int)value, out);
}

static void put_run(FILE *out, const struct run *run, uint64_t *end)
{
	if (!run->n)
		return;
	put_number(out, run->first - *end);
	put_number(out, run->n);
	put_number(out, run->what);
	*end = run->first + run->n;
}

/* Several pages as one: the first one stands for them. */
static int put_runs(const struct snapshot_map *map, unsigned int shift, FILE *out)
{
	struct run run = {};
	uint64_t end = 0;

	for (size_t i = 0; i < map->n; i++) {
		uint64_t at = page__number(map->pages[i].word) >> shift;
		unsigned int copies = page__copies(map->pages[i].word);
		unsigned int what = page__cause(map->pages[i].word) | log2_of(copies) << 4 |
				    map->pages[i].name << 8;

		if (run.n && at < run.first + run.n)
			continue;
		if (run.n && at == run.first + run.n && what == run.what) {
			run.n++;
			continue;
		}
		put_run(out, &run, &end);
		run = (struct run){.first = at, .n = 1, .what = what};
	}
	put_run(out, &run, &end);
	return fclose(out);
}

static char *base64(const unsigned char *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc(n / 3 * 4 + 5), *to = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i += 3) {
		unsigned int left = n - i, word = bytes[i] << 16;

		word |= (left > 1 ? bytes[i + 1] : 0) << 8 | (left > 2 ? bytes[i + 2] : 0);
		*to++ = digits[word >> 18];
		*to++ = digits[word >> 12 & 63];
		*to++ = left > 1 ? digits[word >> 6 & 63] : '=';
		*to++ = left > 2 ? digits[word & 63] : '=';
	}
	*to = '\0';
	return text;
}

char *html__map(const struct snapshot_map *map, unsigned int *unit)
{
	for (unsigned int shift = 0;; shift++) {
		_free_ char *packed = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&packed, &size);

		if (!out || put_runs(map, shift, out))
			return NULL;
		*unit = 1u << shift;
		/* Ends: in the end all pages are one run. */
		if (size <= MAX_BYTES || shift == 30)
			return base64((const unsigned char *)packed, size);
	}
}
