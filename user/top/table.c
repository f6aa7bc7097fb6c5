/* SPDX-License-Identifier: MIT */
/* One table: columns that fit, rows that fit. */
#include "top/internal.h"

#include <stdio.h>
#include <string.h>

struct layout {
	unsigned int n;
	unsigned int shown[COLUMNS_MAX]; /* indices into the columns */
	int widths[COLUMNS_MAX];	 /* of all columns; 0: not shown */
};

/* --- columns ----------------------------------------------------------------- */

/* The one that goes next; the column that sorts stays as long as the most important ones. */
static int least(const struct pane_columns *p, const int *widths, unsigned int sort)
{
	int found = -1, lowest = 10;

	for (unsigned int i = 0; i + 1 < p->n; i++) {
		int priority = p->columns[i].priority;

		if (i == sort && priority < 9)
			priority = 9;
		if (widths[i] && priority < lowest) {
			lowest = priority;
			found = (int)i;
		}
	}
	return found;
}

static void lay_out(const struct pane_columns *p, unsigned int sort, int width, struct layout *l)
{
	int last = width, drop;

	*l = (struct layout){};
	for (unsigned int i = 0; i + 1 < p->n; i++) {
		l->widths[i] = p->columns[i].width;
		last -= l->widths[i] + 1;
	}
	while (last < p->columns[p->n - 1].width && (drop = least(p, l->widths, sort)) >= 0) {
		last += l->widths[drop] + 1;
		l->widths[drop] = 0;
	}
	l->widths[p->n - 1] = last > 0 ? last : 0;
	for (unsigned int i = 0; i < p->n; i++)
		if (l->widths[i])
			l->shown[l->n++] = i;
}

/* --- drawing ----------------------------------------------------------------- */

static int draw_cell(struct canvas *canvas, int x, int y, int width, bool left, enum style style,
		     const char *text)
{
	if (left)
		canvas__text(canvas, x, y, width, style, text);
	else
		canvas__right(canvas, x, y, width, style, text);
	return x + width + 1;
}

static void draw_heading(const struct top *top, enum pane pane, const struct layout *l,
			 struct canvas *canvas, int y)
{
	const struct pane_columns *p = columns__of(pane);
	enum style style = pane == top->pane ? STYLE_FOCUS : STYLE_HEAD;
	const struct look *look = &top->looks[pane];
	int x = 0;

	for (unsigned int i = 0; i < l->n; i++) {
		unsigned int k = l->shown[i];
		const struct column *c = &p->columns[k];
		const char *mark = "";
		char title[48];

		if (k == look->sort)
			mark = look->reverse != c->left ? "\xe2\x96\xb2" : "\xe2\x96\xbc"; /* ▲ ▼ */
		snprintf(title, sizeof(title), "%s%s%s", c->left ? "" : mark, c->title,
			 c->left ? mark : "");
		x = draw_cell(canvas, x, y, l->widths[k], c->left, style, title);
	}
	canvas__paint(canvas, 0, y, canvas->width, style);
}

static void draw_row(const struct top_data *data, const struct pane_columns *p,
		     const struct layout *l, const struct row *row, struct canvas *canvas, int y)
{
	char text[CELL_MAX];
	int x = 0;

	for (unsigned int i = 0; i < l->n; i++) {
		const struct column *c = &p->columns[l->shown[i]];

		c->text(data, row, text, sizeof(text));
		x = draw_cell(canvas, x, y, l->widths[l->shown[i]], c->left, STYLE_PLAIN, text);
	}
}

/* --- the row that is marked -------------------------------------------------- */

/* It stays marked where it goes; if it is gone, the one that has its place. */
static void follow_mark(struct look *look, const struct rows *rows)
{
	if (!rows->n)
		look->marked = false;
	if (!look->marked)
		return;
	for (size_t i = 0; look->mark && i < rows->n; i++) {
		if (rows->rows[i].key == look->mark) {
			look->mark_index = i;
			return;
		}
	}
	if (look->mark_index >= rows->n)
		look->mark_index = rows->n - 1;
	look->mark = rows->rows[look->mark_index].key;
}

static void scroll(struct look *look, const struct rows *rows, int height)
{
	size_t room = height > 0 ? (size_t)height : 1;

	if (!look->marked)
		look->offset = 0;
	else if (look->mark_index < look->offset)
		look->offset = look->mark_index;
	else if (look->mark_index >= look->offset + room)
		look->offset = look->mark_index - room + 1;
	if (look->offset + room > rows->n)
		look->offset = rows->n > room ? rows->n - room : 0;
}

void table__detail(const struct top *top, const struct top_data *data, enum pane pane,
		   const struct rows *rows, char *out, size_t size)
{
	const struct look *look = &top->looks[pane];
	const struct pane_columns *p = columns__of(pane);
	char text[CELL_MAX];
	size_t len = 0;

	out[0] = '\0';
	if (!look->marked || look->mark_index >= rows->n)
		return;
	for (unsigned int k = 0; k < p->n && len < size; k++) {
		const struct row *row = &rows->rows[look->mark_index];
		unsigned int i = (k + p->n - 1) % p->n; /* the last column comes first */
		const struct column *c = &p->columns[i];

		if (!k && row->line && row->line->file)
			snprintf(text, sizeof(text), "%s:%u in %s", row->line->file,
				 row->line->line, row->line->function);
		else
			c->text(data, row, text, sizeof(text));
		if (text[0])
			len += (size_t)snprintf(out + len, size - len, "%s%s%s%s", len ? "  " : "",
						c->left ? "" : c->title, c->left ? "" : " ", text);
	}
}

/* --- the whole --------------------------------------------------------------- */

static void say_nothing(const struct top *top, const struct top_data *data, enum pane pane,
			const struct rows *rows, struct canvas *canvas, int y)
{
	const char *text = "the processes have ended";
	char closed[128];

	snprintf(closed, sizeof(closed),
		 "no Python process that forks is seen; %zu processes may not be looked into: run "
		 "cowtrace as root",
		 data->closed);
	if (rows->n_all)
		text = top->filter[0] ? "nothing matches the filter" : "";
	else if (pane != PANE_WORKERS)
		text = "no copies yet";
	else if (data->searching)
		text = data->closed ? closed : "no Python process that forks runs now; waiting";
	canvas__text(canvas, 2, y, canvas->width - 2, STYLE_DIM, text);
}

void table__draw(struct top *top, const struct top_data *data, enum pane pane,
		 const struct rows *rows, struct canvas *canvas, int y, int height)
{
	const struct pane_columns *p = columns__of(pane);
	struct look *look = &top->looks[pane];
	struct layout l;

	lay_out(p, look->sort, canvas->width, &l);
	draw_heading(top, pane, &l, canvas, y);
	look->n_rows = rows->n;
	look->height = height - 1;
	follow_mark(look, rows);
	scroll(look, rows, look->height);
	if (!rows->n && look->height > 0)
		say_nothing(top, data, pane, rows, canvas, y + 1);
	for (int i = 0; i < look->height && look->offset + (size_t)i < rows->n; i++) {
		size_t at = look->offset + (size_t)i;

		draw_row(data, p, &l, &rows->rows[at], canvas, y + 1 + i);
		if (look->marked && at == look->mark_index)
			canvas__paint(canvas, 0, y + 1 + i, canvas->width, STYLE_SELECTED);
	}
}
