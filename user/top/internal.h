/* SPDX-License-Identifier: MIT */
/* The parts of top. Private to user/top. */
#ifndef COWTRACE_TOP_INTERNAL_H
#define COWTRACE_TOP_INTERNAL_H

#include <stddef.h>

#include "model/live.h"
#include "top/canvas.h"
#include "top/top.h"

enum pane {
	PANE_WORKERS,
	PANE_SITES,
	PANE_CAUSES,
	PANES,
};

#define FILTER_MAX 64

/* How one table is looked at. */
struct look {
	unsigned int sort; /* column */
	bool reverse;
	bool marked;	   /* a row is: */
	uint64_t mark;	   /* its key */
	size_t mark_index; /* where it was */
	size_t offset;	   /* of the first row that is shown */
	/* Of the last drawing, for keys: */
	size_t n_rows;
	int height; /* rows that fit; 0: it was not shown */
};

struct top {
	enum pane pane; /* that keys act on */
	struct look looks[PANES];
	char filter[FILTER_MAX];
	bool editing; /* the filter is being typed */
	bool paused, help;
	unsigned int window; /* index into windows */
	unsigned int max_rows;
};

/* A row of any table: one of the two. */
struct row {
	uint64_t key; /* stays the same from second to second */
	const struct live_process *process;
	const struct live_row *line;
};

#define CELL_MAX 1200

struct column {
	const char *title;
	int width;    /* the last column has what is left, but so much at least, or others go */
	int priority; /* the lowest go first when it becomes narrow */
	bool left;    /* text, sorted from A to Z; else a number, largest first */
	void (*text)(const struct top_data *data, const struct row *row, char *out, size_t size);
	int (*compare)(const struct row *a, const struct row *b); /* NULL: by text */
};

struct pane_columns {
	const struct column *columns;
	unsigned int n;
	const char *name;
};

#define COLUMNS_MAX 12

/* columns.c */
const struct pane_columns *columns__of(enum pane pane);

/* Processes that are one row together. */
enum sum {
	SUM_NONE, /* it has its own */
	SUM_ENDED,
	SUM_NO_PYTHON,
	SUMS,
};

struct row_of_sum {
	struct live_process row;
	uint64_t n;
	char text[64];
};

/* rows.c: the rows of one table, filtered and sorted. */
struct rows {
	struct row *rows;
	size_t n;
	size_t n_all; /* before the filter */
	struct row_of_sum sums[SUMS];
	struct live_row others; /* the sum of lines without a row */
	char others_text[64];
};

/* 0 or -ENOMEM. */
int top_rows__make(const struct top *top, const struct top_data *data, enum pane pane,
		   struct rows *out);
void top_rows__free(struct rows *rows);

/* table.c: one table into a part of the canvas, height >= 1 lines, the first of them its heading.
 */
void table__draw(struct top *top, const struct top_data *data, enum pane pane,
		 const struct rows *rows, struct canvas *canvas, int y, int height);
/* The full text of the row that is marked. */
void table__detail(const struct top *top, const struct top_data *data, enum pane pane,
		   const struct rows *rows, char *out, size_t size);

/* help.c */
void help__draw(struct canvas *canvas);

static inline uint64_t rate_of(const struct top_data *data, uint64_t n, unsigned int times)
{
	double seconds = data->live->seconds;

	return seconds > 0 ? (uint64_t)((double)n * times / seconds + 0.5) : 0;
}

#endif
