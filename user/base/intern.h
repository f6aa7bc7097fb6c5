/* SPDX-License-Identifier: MIT */
/*
 * One copy of each string, alive until the pool is freed: equal strings have equal pointers, so
 * that facts can be compared and hashed by pointer.
 */
#ifndef COWTRACE_BASE_INTERN_H
#define COWTRACE_BASE_INTERN_H

struct intern;

/* 0, or -ENOMEM. */
int intern__new(struct intern **out);
void intern__free(struct intern *pool);

/* The pool's copy of s; NULL for NULL. Never fails: out of memory ends the program, with a word. */
const char *intern__str(struct intern *pool, const char *s);

#endif
