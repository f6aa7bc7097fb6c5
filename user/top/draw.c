/* SPDX-License-Identifier: MIT */
/* Where things are on the screen. */
#include "top/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "model/snapshot.h"

#define HEADER 2
#define FOOTER 1
/* From this height on all tables are seen at once: each with its heading and four rows. */
#define ALL_HEIGHT (HEADER + FOOTER + PANES * 5)

/* --- header ------------------------------------------------------------------ */

static int put(struct canvas *c, int x, int y, enum style style, const char *text)
{
	return x + canvas__text(c, x, y, c->width - x, style, text);
}

static void seconds_text(double seconds, char *out, size_t size)
{
	unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;

	if (s < 60)
		snprintf(out, size, "%lu s", s);
	else if (s < 3600)
		snprintf(out, size, "%lu min %lu s", s / 60, s % 60);
	else
		snprintf(out, size, "%lu h %lu min", s / 3600, s / 60 % 60);
}

static void draw_first_line(const struct top *top, const struct top_data *data, struct canvas *c)
{
	const struct snapshot_capture *capture = data->capture;
	char text[256], time[64];
	int x = put(c, 0, 0, STYLE_STRONG, "cowtrace top");

	seconds_text(capture->seconds, time, sizeof(time));
	snprintf(text, sizeof(text), " \xc2\xb7 %s", time);
	x = put(c, x, 0, STYLE_PLAIN, text);
	if (top->paused) {
		x = put(c, x, 0, STYLE_PLAIN, " \xc2\xb7 ");
		x = put(c, x, 0, STYLE_WARN, "PAUSED");
	}
	snprintf(text, sizeof(text), " \xc2\xb7 %s lost", number__count(capture->lost).s);
	x = put(c, x, 0, capture->lost ? STYLE_WARN : STYLE_PLAIN, text);
	snprintf(text, sizeof(text), " \xc2\xb7 witness %s \xc2\xb7 Linux %s", capture->witness,
		 data->kernel);
	put(c, x, 0, STYLE_PLAIN, text);
}

static size_t count_living(const struct live_view *live)
{
	size_t n = 0;

	for (size_t i = 0; i < live->n_processes; i++)
		n += !live->processes[i].facts.exited;
	return n;
}

static void draw_second_line(const struct top_data *data, struct canvas *c)
{
	const struct live_view *live = data->live;
	uint64_t recent = live->n.recent.copies, bytes = live->n.recent.pages * data->page_size;
	size_t living = count_living(live);
	char text[256];
	int x;

	snprintf(text, sizeof(text), "%s copies (%s MiB)", number__count(live->n.total.copies).s,
		 number__mib(live->n.total.pages * data->page_size).s);
	x = put(c, 0, 1, STYLE_STRONG, text);
	snprintf(text, sizeof(text), " \xc2\xb7 %s/s (%s MiB/s): %s in %.1f s",
		 number__count(rate_of(data, recent, 1)).s, number__mib(rate_of(data, bytes, 1)).s,
		 number__count(recent).s, live->seconds);
	x = put(c, x, 1, STYLE_PLAIN, text);
	snprintf(text, sizeof(text), " \xc2\xb7 %zu %s", living,
		 living == 1 ? "process" : "processes");
	put(c, x, 1, STYLE_DIM, text);
}

/* --- footer ------------------------------------------------------------------ */

/* Which table this is, where only one is seen. */
static int draw_tabs(const struct top *top, struct canvas *c, int y)
{
	int x = 0;

	for (int i = 0; i < PANES; i++) {
		x = put(c, x, y, i == (int)top->pane ? STYLE_FOCUS : STYLE_DIM,
			columns__of(i)->name);
		x = put(c, x, y, STYLE_PLAIN, " ");
	}
	return put(c, x, y, STYLE_PLAIN, " ");
}

static void draw_footer(const struct top *top, const struct top_data *data, struct canvas *c,
			bool all, const char *detail)
{
	int y = c->height - 1, x = 0;
	char text[FILTER_MAX + 32];

	if (top->editing) {
		snprintf(text, sizeof(text), "/%s_", top->filter);
		put(c, 0, y, STYLE_STRONG, text);
		return;
	}
	if (detail[0]) {
		put(c, 0, y, STYLE_PLAIN, detail);
		return;
	}
	if (data->message) {
		put(c, 0, y, STYLE_WARN, data->message);
		return;
	}
	if (!all)
		x = draw_tabs(top, c, y);
	if (top->filter[0]) {
		snprintf(text, sizeof(text), "only: %s  ", top->filter);
		x = put(c, x, y, STYLE_WARN, text);
	}
	put(c, x, y, STYLE_DIM, "q quit  ? help  Tab table  s sort  / filter  w seconds  p pause");
}

/* --- tables ------------------------------------------------------------------ */

/* Heading, rows or what is said in their place, a blank line. */
static int need_of(const struct rows *rows, int room)
{
	return rows->n < (size_t)room ? (int)(rows->n ?: 1) + 2 : room;
}

/* Each gets a third, and what one does not need goes to those that do; the rest to the last. */
static void share_out(const struct rows *rows, int room, int *heights)
{
	int left = room;

	for (int i = 0; i < PANES; i++) {
		int need = need_of(&rows[i], room);

		heights[i] = need < room / PANES ? need : room / PANES;
		left -= heights[i];
	}
	for (int i = 0; i < PANES; i++) {
		int need = need_of(&rows[i], room);
		int more = need - heights[i] < left ? need - heights[i] : left;

		if (more > 0) {
			heights[i] += more;
			left -= more;
		}
	}
	heights[PANES - 1] += left;
}

static void draw_all(struct top *top, const struct top_data *data, const struct rows *rows,
		     struct canvas *c)
{
	int heights[PANES], y = HEADER;

	share_out(rows, c->height - HEADER - FOOTER, heights);
	for (int i = 0; i < PANES; i++) {
		table__draw(top, data, i, &rows[i], c, y, heights[i]);
		y += heights[i];
	}
}

static void draw_tables(struct top *top, const struct top_data *data, const struct rows *rows,
			struct canvas *c)
{
	bool all = c->height >= ALL_HEIGHT;
	char detail[2 * CELL_MAX];

	for (int i = 0; i < PANES; i++)
		top->looks[i].height = 0;
	if (all)
		draw_all(top, data, rows, c);
	else
		table__draw(top, data, top->pane, &rows[top->pane], c, HEADER,
			    c->height - HEADER - FOOTER);
	table__detail(top, data, top->pane, &rows[top->pane], detail, sizeof(detail));
	draw_footer(top, data, c, all, detail);
}

int top__draw(struct top *top, const struct top_data *data, struct canvas *c)
{
	struct rows rows[PANES] = {};
	int err = 0;

	canvas__clear(c);
	if (c->height < HEADER + FOOTER + 2) {
		put(c, 0, 0, STYLE_WARN, "make this window higher: six lines");
		return 0;
	}
	if (top->help) {
		help__draw(c);
		return 0;
	}
	for (int i = 0; i < PANES && !err; i++)
		err = top_rows__make(top, data, i, &rows[i]);
	if (!err) {
		draw_first_line(top, data, c);
		draw_second_line(data, c);
		draw_tables(top, data, rows, c);
	}
	for (int i = 0; i < PANES; i++)
		top_rows__free(&rows[i]);
	return err;
}
