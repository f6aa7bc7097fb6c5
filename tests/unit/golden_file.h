/* SPDX-License-Identifier: MIT */
/* What golden tests share. */
#ifndef COWTRACE_TEST_GOLDEN_FILE_H
#define COWTRACE_TEST_GOLDEN_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "sink/escape.h"

/* Compares with a file, byte for byte; with UPDATE_GOLDEN in the environment writes it. */
static inline void golden__compare(const char *path, const char *got, size_t size)
{
	bool update = getenv("UPDATE_GOLDEN");
	_free_ char *want = calloc(1, size + 2);
	_fclose_ FILE *file = fopen(path, update ? "w" : "r");
	size_t want_size;

	if (!file)
		fail_msg("%s: run from the top of the tree, after scripts/update-golden", path);
	if (update) {
		assert_int_equal(fwrite(got, 1, size, file), size);
		return;
	}
	want_size = fread(want, 1, size + 1, file);
	if (want_size != size || memcmp(want, got, size) != 0)
		fail_msg("%s differs; this is what came:\n%s", path, got);
}

/* Whatever is traced, nothing but text and the sink's own line ends comes out. */
static inline void golden__no_control(const char *name, const char *output, size_t size)
{
	unsigned int codepoint;

	for (size_t at = 0; at < size;) {
		at += utf8__decode(output + at, size - at, &codepoint);
		if (codepoint != '\n' && utf8__is_control(codepoint))
			fail_msg("%s has U+%04x", name, codepoint);
	}
}

/* Text for terminals, which is taken apart. */
static inline void golden__fits(const char *name, char *output)
{
	for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
		if (escape__width(line) > 100)
			fail_msg("%s: too wide:\n%s", name, line);
		if (line[strlen(line) - 1] == ' ')
			fail_msg("%s: space at the end:\n%s", name, line);
	}
}

#endif
