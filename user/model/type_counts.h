/* SPDX-License-Identifier: MIT */
/*
 * Copies by type of object, of the types with most. A type gets a row of its own when enough of its
 * copies have been seen; those before stay with the others, so that no row ever goes back.
 */
#ifndef COWTRACE_MODEL_TYPE_COUNTS_H
#define COWTRACE_MODEL_TYPE_COUNTS_H

#include <stddef.h>

#include "model/groups.h"

struct type_counts;

/* 0 or -ENOMEM. */
int type_counts__new(struct type_counts **out);
void type_counts__free(struct type_counts *types);

void type_counts__add(struct type_counts *types, const char *name);
/* Those with a row, in the order in which they got it, and then "other". */
const struct group_type *type_counts__rows(const struct type_counts *types, size_t *n);

#endif
