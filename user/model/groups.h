/* SPDX-License-Identifier: MIT */
/*
 * Counts by service, for months: a group is a master and all that it has forked, and has a name
 * that survives its restarts. As many groups and types as there may be, so much memory and no more:
 * what finds no room is counted as `other`.
 */
#ifndef COWTRACE_MODEL_GROUPS_H
#define COWTRACE_MODEL_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/cause.h"

struct groups;
struct process_facts;

/* With GROUP_OTHER. */
#define GROUPS_MAX  64
#define GROUP_OTHER 0
/* Types of objects that have a row of their own, besides the others. */
#define GROUPS_TYPES 32
/* Longest name, bytes, with its end. */
#define GROUP_NAME 128

struct group_gauges { /* of its processes that live; bytes */
	uint64_t processes, shared_at_fork, shared_now, fresh;
};

struct group {
	char name[GROUP_NAME];
	char python[16]; /* its version, of the first process that was seen to have one; or empty */
	uint32_t number; /* never given to another; 0: a free place */
	uint64_t copies[CAUSE_MAX], pages[CAUSE_MAX];
	uint64_t reuses;
	uint64_t uncounted;	 /* copies that the kernel's own count leaves out */
	struct group_gauges now; /* when groups__look_end was called last */
	/* Private to groups.c: */
	uint64_t members, emptied;
	uint64_t reuses_ended, reuses_living;
	struct group_gauges next;
};

struct group_type {
	char name[GROUP_NAME];
	uint64_t copies;
};

/* 0 or -ENOMEM. */
int groups__new(struct groups **out);
void groups__free(struct groups *groups);

/*
 * The group with that name; made if there is none, in the place of the one that has been without
 * processes for longest if all are taken. GROUP_OTHER: no room. now: ns.
 */
unsigned int groups__find(struct groups *groups, const char *name, uint64_t now);
/* A process of it begins, or ends. */
void groups__begin(struct groups *groups, unsigned int group);
void groups__end(struct groups *groups, unsigned int group, uint64_t reuses, uint64_t now);

/* One copy; type may be NULL. uncounted: the kernel's own count leaves it out. */
void groups__copy(struct groups *groups, unsigned int group, const struct verdict *verdict,
		  uint64_t pages, bool uncounted);

/* What its processes run; may be NULL. */
void groups__python(struct groups *groups, unsigned int group, const char *python);

/* Now and then, with all processes that live in between: what they share by now. */
void groups__look_begin(struct groups *groups);
void groups__look(struct groups *groups, unsigned int group, const struct process_facts *facts);
void groups__look_end(struct groups *groups);

/* GROUPS_MAX of them; those with number 0 are none. */
const struct group *groups__rows(const struct groups *groups);
/* How many groups have lost their place to others. */
uint64_t groups__retired(const struct groups *groups);

/* The types with most copies, and then one row for all others. */
const struct group_type *groups__types(const struct groups *groups, size_t *n);

#endif
