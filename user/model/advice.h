/* SPDX-License-Identifier: MIT */
/* WHAT WOULD HELP: rules over a snapshot. Bounds are upper bounds and the text says "at most". */
#ifndef COWTRACE_MODEL_ADVICE_H
#define COWTRACE_MODEL_ADVICE_H

#include <stddef.h>

#include "model/snapshot.h"

/* Pages that two runs of the same program differ by, because the allocator happens to have its free
 * blocks elsewhere: on top of each bound, which is one for the next run, too. Measured: up to 22
 * (tests/advice). */
#define ADVICE_MARGIN 32
#define ADVICE_MAX    16
/* Names in a text are cut by what is left of this. */
#define ADVICE_TEXT_MAX 3072

/* Rows and the texts they point to. */
struct advice {
	struct snapshot_advice rows[ADVICE_MAX];
	char texts[ADVICE_MAX][ADVICE_TEXT_MAX];
};

/* Fills out->rows, most useful first; returns how many, or -ENOMEM. A text is one paragraph without
 * markup; what is to be typed stands in `backticks`. */
int advice__give(const struct snapshot *snap, struct advice *out);

#endif
