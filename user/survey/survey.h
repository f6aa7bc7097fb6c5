/* SPDX-License-Identifier: MIT */
/* Looks at the machine for `cowtrace check`: the kernel, what it allows whom, the Pythons that run.
 * Works without root as far as it can. */
#ifndef COWTRACE_SURVEY_SURVEY_H
#define COWTRACE_SURVEY_SURVEY_H

#include <stdbool.h>

struct machine;
struct survey;

/* Tries every witness and lets go of it again. 0 or -ENOMEM. */
int survey__take(bool verbose, struct survey **out);
void survey__free(struct survey *survey);
/* Valid until survey__free. */
const struct machine *survey__machine(const struct survey *survey);

#endif
