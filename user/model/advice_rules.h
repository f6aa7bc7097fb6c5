/* SPDX-License-Identifier: MIT */
/* What the rules of advice_*.c share. Private to model. */
#ifndef COWTRACE_MODEL_ADVICE_RULES_H
#define COWTRACE_MODEL_ADVICE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/advice.h"
#include "model/advice_hints.h"

/* What is less than this is not worth a change of the program: percent of all copies, pages that
 * one process copied. The second keeps the shared small ints and the like from being called a
 * container. */
#define ADVICE_MIN_PERCENT 1
#define ADVICE_MIN_PAGES   16

struct giver {
	const struct snapshot *snap;
	struct advice *out;
	size_t n;
	enum framework framework;
	uint64_t *by_process; /* pages, of each process of snap: tally's */
};

/* Which copies a rule is about, and at which line it puts them. */
struct question {
	bool (*concerns)(const struct giver *g, const struct snapshot_stack *row, const void *arg);
	/* NULL: the innermost function */
	const struct snapshot_frame *(*place)(const struct snapshot_stack *row);
	const void *arg;
};

struct tally {
	uint64_t copies, pages;
	uint64_t most;			    /* pages of the process that copied the most of them */
	const struct snapshot_frame *place; /* the line with the most of them, NULL: none */
	uint64_t at_place;		    /* copies there */
};

/* The copies in question; what is about them is worth a word only if tally__matters(). */
struct tally tally__ask(struct giver *g, const struct question *question);
bool tally__matters(const struct giver *g, const struct tally *tally);

/* "app.py:14 in total" for a line, the bare name for native code, "" for none. */
struct place_text {
	char s[1200];
};
struct place_text tally__place(const struct snapshot_frame *place);

/* --- what a row is --- */

bool row__is(const struct snapshot_stack *row, const char *cause);
/* Of a page that the process got by a fork, and did not fill anew. */
bool row__was_shared(const struct snapshot_stack *row);
/* By a process that runs Python, and began with pages of another one. */
bool row__is_workers(const struct giver *g, const struct snapshot_stack *row);
/* The line of Python that ran, NULL: none did. */
const struct snapshot_frame *row__line(const struct snapshot_stack *row);
/* The outermost line that imports a module, NULL: none is being imported. */
const struct snapshot_frame *row__import(const struct snapshot_stack *row);

/* --- giving --- */

/*
 * One advice: what happens, why and what to do as fmt says, then how with this framework, when it
 * does not help, and the bound.
 */
struct words {
	const char *rule;
	int hint; /* enum hint_action, -1: none */
	const char *but;
};

__attribute__((format(printf, 4, 5))) void advice__say(struct giver *g, const struct words *words,
						       uint64_t bytes, const char *fmt, ...);

/* --- the rules --- */

typedef void (*advice_rule)(struct giver *g);

/* advice_data.c: what a program keeps */
void advise__containers(struct giver *g);
/* advice_gc.c: the collector, and what it leaves behind */
void advise__freeze(struct giver *g);
void advise__threshold(struct giver *g);
void advise__refill(struct giver *g);
/* advice_code.c: what happens the first time */
void advise__warm_up(struct giver *g);
void advise__imports(struct giver *g);
void advise__library(struct giver *g);
/* advice_life.c: beginning and end of processes, and the size of pages */
void advise__share(struct giver *g);
void advise__exit(struct giver *g);
void advise__huge_pages(struct giver *g);

#endif
