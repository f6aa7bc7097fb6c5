/* SPDX-License-Identifier: MIT */
/* The words that stand for enumerations in a file: a contract, as people query them. */
#ifndef COWTRACE_STORE_NAMES_H
#define COWTRACE_STORE_NAMES_H

#include <stddef.h>

struct names {
	size_t n;
	const char *const *words;
};

extern const struct names origin_names, region_names, insn_names, source_names, opcode_names,
	allocator_names, content_names, link_names, field_names, unwind_names, missing_names,
	lost_names;

/* "" for a value that has no word; a unit test sees to it that all have one. */
const char *names__word(const struct names *names, size_t value);
/* -1: no such word. */
int names__value(const struct names *names, const char *word);

#endif
