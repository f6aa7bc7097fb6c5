/* SPDX-License-Identifier: MIT */
/* What keys do. */
#include "top/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "top/keys.h"

/* Seconds; below LIVE_TICKS. */
static const unsigned int windows[] = {5, 15, 60, 1};
#define N_WINDOWS (sizeof(windows) / sizeof(windows[0]))

int top__new(unsigned int max_rows, struct top **out)
{
	struct top *top = calloc(1, sizeof(*top));

	if (!top)
		return -ENOMEM;
	top->max_rows = max_rows;
	for (int i = 0; i < PANES; i++) /* by what happens now */
		while (strcmp(columns__of(i)->columns[top->looks[i].sort].title, "copies/s") != 0)
			top->looks[i].sort++;
	*out = top;
	return 0;
}

void top__free(struct top *top)
{
	free(top);
}

bool top__paused(const struct top *top)
{
	return top->paused;
}

unsigned int top__window(const struct top *top)
{
	return windows[top->window];
}

/* --- the filter -------------------------------------------------------------- */

static void filter__erase(struct top *top)
{
	size_t n = strlen(top->filter);

	while (n && ((unsigned char)top->filter[n - 1] & 0xc0) == 0x80)
		n--;
	top->filter[n ? n - 1 : 0] = '\0';
}

static void filter__add(struct top *top, int key)
{
	size_t n = strlen(top->filter);
	char encoded[4];
	size_t size;

	if (key >= TOP_KEY_UP || utf8__is_control((unsigned int)key))
		return;
	size = utf8__encode(encoded, (unsigned int)key);
	if (n + size >= sizeof(top->filter))
		return;
	memcpy(top->filter + n, encoded, size);
	top->filter[n + size] = '\0';
}

static enum top_action edit(struct top *top, int key)
{
	switch (key) {
	case TOP_KEY_ENTER:
		top->editing = false;
		break;
	case TOP_KEY_ESCAPE:
		top->editing = false;
		top->filter[0] = '\0';
		break;
	case TOP_KEY_BACKSPACE:
		filter__erase(top);
		break;
	case TOP_KEY_ERASE_ALL:
		top->filter[0] = '\0';
		break;
	default:
		filter__add(top, key);
	}
	return TOP_DRAW;
}

/* --- rows and columns -------------------------------------------------------- */

static void move(struct top *top, long by)
{
	struct look *look = &top->looks[top->pane];
	long to = look->marked ? (long)look->mark_index + by : by > 0 ? by - 1 : by;

	if (!look->n_rows)
		return;
	if (to < 0)
		to = 0;
	if (to >= (long)look->n_rows)
		to = (long)look->n_rows - 1;
	look->marked = true;
	look->mark = 0; /* whichever is there */
	look->mark_index = (size_t)to;
}

static void sort_by(struct top *top, int step)
{
	struct look *look = &top->looks[top->pane];
	unsigned int n = columns__of(top->pane)->n;

	look->sort = (look->sort + n + (unsigned int)step) % n;
	look->reverse = false;
	look->offset = 0;
}

static bool movement(struct top *top, int key)
{
	int page = top->looks[top->pane].height;

	switch (key) {
	case TOP_KEY_UP:
	case 'k':
		move(top, -1);
		return true;
	case TOP_KEY_DOWN:
	case 'j':
		move(top, 1);
		return true;
	case TOP_KEY_PAGE_UP:
		move(top, -page);
		return true;
	case TOP_KEY_PAGE_DOWN:
		move(top, page);
		return true;
	case TOP_KEY_HOME:
		move(top, -0x7fffffff);
		return true;
	case TOP_KEY_END:
		move(top, 0x7fffffff);
		return true;
	default:
		return false;
	}
}

/* --- all keys ---------------------------------------------------------------- */

static enum top_action escape(struct top *top)
{
	if (top->looks[top->pane].marked)
		top->looks[top->pane].marked = false;
	else
		top->filter[0] = '\0';
	return TOP_DRAW;
}

static enum top_action command(struct top *top, int key)
{
	switch (key) {
	case 'q':
		return TOP_QUIT;
	case '?':
	case 'h':
		top->help = true;
		return TOP_DRAW;
	case 'p':
	case ' ':
		top->paused = !top->paused;
		return TOP_DRAW;
	case 'w':
		top->window = (top->window + 1) % N_WINDOWS;
		return TOP_DRAW;
	case '/':
		top->editing = true;
		return TOP_DRAW;
	case 's':
	case '>':
	case TOP_KEY_RIGHT:
		sort_by(top, 1);
		return TOP_DRAW;
	case '<':
	case TOP_KEY_LEFT:
		sort_by(top, -1);
		return TOP_DRAW;
	case 'r':
		top->looks[top->pane].reverse = !top->looks[top->pane].reverse;
		return TOP_DRAW;
	case TOP_KEY_TAB:
		top->pane = (top->pane + 1) % PANES;
		return TOP_DRAW;
	case TOP_KEY_BACK_TAB:
		top->pane = (top->pane + PANES - 1) % PANES;
		return TOP_DRAW;
	case TOP_KEY_ESCAPE:
		return escape(top);
	case TOP_KEY_REDRAW:
		return TOP_RENEW;
	default:
		return movement(top, key) ? TOP_DRAW : TOP_NOTHING;
	}
}

enum top_action top__key(struct top *top, int key)
{
	if (top->editing)
		return edit(top, key);
	if (top->help) {
		top->help = false;
		return key == 'q' ? TOP_QUIT : TOP_DRAW;
	}
	return command(top, key);
}
