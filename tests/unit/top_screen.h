/* SPDX-License-Identifier: MIT */
/* A made-up service for top, and its screen as text. */
#ifndef COWTRACE_TEST_TOP_SCREEN_H
#define COWTRACE_TEST_TOP_SCREEN_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "model/cause.h"
#include "model/live.h"
#include "model/snapshot.h"
#include "top/canvas.h"
#include "top/keys.h"
#include "top/top.h"

#define MIB  (1ull << 20)
#define ROWS 50

static struct live_process processes[ROWS];
static struct live_row sites[ROWS], causes[ROWS];
static struct live_view live;
static struct snapshot_capture capture;
static struct top_data data;
static struct canvas canvas;
static struct top *top;
static char screen[CANVAS_MAX * 16];

static inline struct live_counts counts(uint64_t recent, uint64_t total)
{
	return (struct live_counts){.recent = {recent, recent}, .total = {total, total}};
}

static inline void add_process(uint32_t pid, const char *command, uint64_t recent, uint64_t total)
{
	processes[live.n_processes] = (struct live_process){
		.number = (uint32_t)live.n_processes + 1,
		.facts = {.pid = pid,
			  .forked = true,
			  .command = command,
			  .shared_at_fork = 100 * MIB,
			  .shared_now = 60 * MIB,
			  .new_bytes = SNAPSHOT_UNKNOWN},
		.n = counts(recent, total),
	};
	live.n_processes++;
}

static inline void add_site(const char *file, uint32_t line, const char *function, uint64_t recent,
			    uint64_t total)
{
	sites[live.sites.n++] = (struct live_row){.file = file,
						  .line = line,
						  .function = function,
						  .cause = CAUSE_REFCOUNT,
						  .type = "int",
						  .n = counts(recent, total)};
}

static inline int setup(void **state)
{
	(void)state;
	live = (struct live_view){.seconds = 5, .processes = processes};
	live.sites.rows = sites;
	live.causes.rows = causes;
	capture = (struct snapshot_capture){.witness = "fexit", .seconds = 42};
	data = (struct top_data){&live, &capture, "6.18.5", 4096, false, 0, NULL};
	return top__new(0, &top);
}

static inline int teardown(void **state)
{
	(void)state;
	top__free(top);
	canvas__free(&canvas);
	return 0;
}

/* A service with two workers. */
static inline void a_service(void)
{
	add_process(100, "gunicorn", 0, 3);
	add_process(102, "gunicorn", 23, 1009);
	add_process(101, "gunicorn: worker", 500, 997);
	add_site("/srv/app/app.py", 14, "BigApp.total", 500, 2000);
	add_site("/srv/app/other.py", 7, "f", 23, 9);
	causes[0] =
		(struct live_row){.cause = CAUSE_REFCOUNT, .type = "int", .n = counts(523, 2009)};
	live.causes.n = 1;
	live.n = counts(523, 2009);
}

static inline const char *draw(int width, int height)
{
	char *to = screen;

	assert_int_equal(canvas__resize(&canvas, width, height), 0);
	assert_int_equal(top__draw(top, &data, &canvas), 0);
	for (int y = 0; y < canvas.height; y++) {
		char *last = to;

		for (int x = 0; x < canvas.width; x++) {
			uint32_t character = canvas.cells[y * canvas.width + x].character;

			if (character)
				to += utf8__encode(to, character);
			if (character && character != ' ')
				last = to;
		}
		to = last;
		*to++ = '\n';
	}
	*to = '\0';
	return screen;
}

static inline const char *line(int n)
{
	static char text[8192];
	const char *from = screen;

	while (n--)
		from = strchr(from, '\n') + 1;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(from, "\n"), from);
	return text;
}

static inline enum style style_at(int y)
{
	return canvas.cells[y * canvas.width].style;
}

static inline void type(const char *text)
{
	while (*text)
		top__key(top, *text++);
}

#define SCREEN(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
