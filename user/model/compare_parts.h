/* SPDX-License-Identifier: MIT */
/* The parts of a comparison. Private to model/compare*.c. */
#ifndef COWTRACE_MODEL_COMPARE_PARTS_H
#define COWTRACE_MODEL_COMPARE_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "model/compare.h"
#include "model/snapshot.h"

struct intern;
struct stack_table;

/* NULL comes first. */
int compare__text(const char *a, const char *b);

/* --- compare_names.c --------------------------------------------------------- */

/* What files and commands of the older run are called in the newer one. */
struct renames;

/* The tables: of the stacks of each; pool: of new names. All must outlive it. 0 or -ENOMEM. */
int renames__new(const struct snapshot *older, const struct stack_table *older_frames,
		 const struct snapshot *newer, const struct stack_table *newer_frames,
		 struct intern *pool, struct renames **out);
void renames__free(struct renames *renames);
/* Of the older run: the name in the newer run; the same, if nothing there is called alike. */
const char *renames__file(const struct renames *renames, const char *file);
/* Of either run: the name for all processes that do the same. */
const char *renames__command(const struct renames *renames, const char *command);

/* --- compare_workers.c ------------------------------------------------------- */

/* It may be one: it began with shared pages, and is no master that ran when cowtrace attached. */
static inline bool compare__may_work(const struct snapshot_process *p)
{
	return snapshot__is_sharer(p) && !(p->attached && !p->forked && p->children);
}

/* Finds who the workers of each run are, and counts them. 0 or -ENOMEM. */
int compare__workers(struct comparison *out, const struct snapshot *newer,
		     const struct renames *renames);

/* --- compare_lines.c --------------------------------------------------------- */

/* A line of one run, as lines are matched. */
struct line {
	const char *file, *function; /* of the newer run */
	const char *source;	     /* NULL: not at hand */
	uint32_t line;
	uint32_t partner; /* the line in the other run, 0: none */
};

/* Finds partners of lines: both are sorted by file, function and line. */
void lines__match(struct line *older, size_t n_older, struct line *newer, size_t n_newer);

/* --- compare_places.c -------------------------------------------------------- */

/* Where the frames of the older run are in the newer one. */
struct places;

/* The tables: of the stacks of each; pool: of new names. All must outlive it. 0 or -ENOMEM. */
int places__new(const struct snapshot *older, const struct stack_table *older_frames,
		const struct snapshot *newer, const struct stack_table *newer_frames,
		const struct renames *renames, struct intern *pool, struct places **out);
void places__free(struct places *places);
/* From a frame of the older run to its place in the newer one. False: it has none, and keeps its
 * line, in the newer file. */
bool places__find(const struct places *places, struct snapshot_frame *frame);
/* The frames of a stack of the older run: *n of them. */
const struct snapshot_frame *places__stack(const struct places *places,
					   const struct snapshot_stack *old, uint32_t *n);

/* --- compare_rows.c ---------------------------------------------------------- */

/* A table while it is made. */
struct compared_rows {
	struct row {
		struct comparison_row row;
		bool lost_line; /* of a site of the older run: the newer one has no such line */
		uint32_t place; /* in the finished table */
	} * at;			/* sorted by what they are of */
	size_t n;
};

int compared_rows__new(size_t room, struct compared_rows *rows); /* 0 or -ENOMEM */
void compared_rows__free(struct compared_rows *rows);
/* side: row's older or newer one is what it has. */
void compared_rows__add(struct compared_rows *rows, const struct comparison_row *row,
			bool lost_line);
/* Makes one of those that are of the same; of the rest of the sites of one function and one kind,
 * too, in their order. */
void compared_rows__merge(struct compared_rows *rows);
/* Where the row is in the finished table. */
uint32_t compared_rows__find(const struct compared_rows *rows, const struct comparison_row *row);
/* The finished table, allocated. 0 or -ENOMEM. */
int compared_rows__finish(struct compared_rows *rows, const struct comparison *comparison,
			  struct comparison_table *out);
/* Change and state, once both sides are complete. */
void compared_row__judge(struct comparison_row *row, const struct comparison *comparison);

/* --- compare_stacks.c -------------------------------------------------------- */

/* Rows of the table of processes, by the number of a process. */
struct groups {
	uint32_t *older, *newer;
};

/* Fills stacks and weights of out, allocated. 0 or -ENOMEM. */
int compare__stacks(struct comparison *out, const struct snapshot *newer,
		    const struct places *places, const struct groups *groups);

/* --- compare_remarks.c ------------------------------------------------------- */

#define COMPARE_REMARKS 16

/* Returns how many there are; at most COMPARE_REMARKS. */
size_t compare__remarks(const struct comparison *comparison, const struct snapshot *newer,
			struct intern *pool, struct comparison_remark *remarks);

#endif
