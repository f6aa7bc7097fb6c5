/* SPDX-License-Identifier: MIT */
/* The parts of a survey. Private to user/survey. */
#ifndef COWTRACE_SURVEY_INTERNAL_H
#define COWTRACE_SURVEY_INTERNAL_H

#include <stdbool.h>

struct intern;
struct machine;
struct pythons;

/* Kernel, settings, privileges: all but the witnesses and Pythons. */
void survey__kernel(struct intern *pool, struct machine *m);

/* The Pythons that run; fills in what the machine has of them. 0 or -ENOMEM. */
int pythons__find(struct intern *pool, struct machine *m, struct pythons **out);
void pythons__free(struct pythons *pythons);

#endif
