/* SPDX-License-Identifier: MIT */
/* Strings, each once, numbered in the order in which they came: what file formats refer to. */
#ifndef COWTRACE_SINK_STRING_TABLE_H
#define COWTRACE_SINK_STRING_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct string_table;

/* 0 or -ENOMEM. */
int string_table__new(struct string_table **out);
void string_table__free(struct string_table *table);
/* The number of s, a copy of which is kept, as shown by escape__dup; 0 or -ENOMEM. */
int string_table__add(struct string_table *table, const char *s, uint32_t *number);
size_t string_table__count(const struct string_table *table);
const char *string_table__get(const struct string_table *table, size_t number);

#endif
