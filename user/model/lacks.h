/* SPDX-License-Identifier: MIT */
/* What a machine lacks, what follows from that, and what to do about it: one line each. */
#ifndef COWTRACE_MODEL_LACKS_H
#define COWTRACE_MODEL_LACKS_H

#include <stdbool.h>
#include <stddef.h>

struct machine;

enum lack_weight {
	LACK_STOPS, /* nothing can be traced */
	LACK_LESS,  /* reports lack something */
	LACK_NOTE,  /* good to know */
};

struct lack {
	enum lack_weight weight;
	char what[512];
	char advice[320];
};

#define LACKS_MAX 40

struct lacks {
	size_t n;
	struct lack at[LACKS_MAX]; /* the weightiest first */
};

void lacks__find(const struct machine *m, struct lacks *out);
/* Can anything be traced here, by this user? */
bool lacks__works(const struct lacks *lacks);
/* "stops", "less", "note" */
const char *lack__weight_name(enum lack_weight weight);

#endif
