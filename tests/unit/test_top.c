/* SPDX-License-Identifier: MIT */
/* What top shows, and what its keys do: screens as text. */
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

static struct live_counts counts(uint64_t recent, uint64_t total)
{
	return (struct live_counts){.recent = {recent, recent}, .total = {total, total}};
}

static void add_process(uint32_t pid, const char *command, uint64_t recent, uint64_t total)
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

static void add_site(const char *file, uint32_t line, const char *function, uint64_t recent,
		     uint64_t total)
{
	sites[live.sites.n++] = (struct live_row){.file = file,
						  .line = line,
						  .function = function,
						  .cause = CAUSE_REFCOUNT,
						  .type = "int",
						  .n = counts(recent, total)};
}

static int setup(void **state)
{
	(void)state;
	live = (struct live_view){.seconds = 5, .processes = processes};
	live.sites.rows = sites;
	live.causes.rows = causes;
	capture = (struct snapshot_capture){.witness = "fexit", .seconds = 42};
	data = (struct top_data){&live, &capture, "6.18.5", 4096, false, NULL};
	return top__new(0, &top);
}

static int teardown(void **state)
{
	(void)state;
	top__free(top);
	canvas__free(&canvas);
	return 0;
}

/* A service with two workers. */
static void a_service(void)
{
	add_process(100, "gunicorn", 0, 3);
	add_process(102, "gunicorn", 23, 1009);
	add_process(101, "gunicorn: worker", 500, 997);
	add_site("/srv/app/app.py", 14, "BigApp.total", 500, 2000);
	add_site("/srv/app/other.py", 7, "f", 23, 9);
	causes[0] = (struct live_row){.cause = CAUSE_REFCOUNT, .type = "int", .n = counts(523, 2009)};
	live.causes.n = 1;
	live.n = counts(523, 2009);
}

static const char *draw(int width, int height)
{
	char *to = screen;

	assert_int_equal(canvas__resize(&canvas, width, height), 0);
	assert_int_equal(top__draw(top, &data, &canvas), 0);
	for (int y = 0; y < height; y++) {
		char *last = to;

		for (int x = 0; x < width; x++) {
			uint32_t character = canvas.cells[y * width + x].character;

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

static const char *line(int n)
{
	static char text[8192];
	const char *from = screen;

	while (n--)
		from = strchr(from, '\n') + 1;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(from, "\n"), from);
	return text;
}

static enum style style_at(int y)
{
	return canvas.cells[y * canvas.width].style;
}

static void type(const char *text)
{
	while (*text)
		top__key(top, *text++);
}

/* --- screens ----------------------------------------------------------------- */

static void a_wide_and_high_one(void **state)
{
	(void)state;
	a_service();
	assert_string_equal(
		draw(110, 18),
		"cowtrace top · 42 s · 0 lost · witness fexit · Linux 6.18.5\n"
		"2,009 copies (7.8 MiB) · 105/s (0.4 MiB/s): 523 in 5.0 s · 3 processes\n"
		"pid      ▼copies/s    MiB/s      copies  copied MiB  shared MiB  then MiB   new MiB "
		"command\n"
		"101            100      0.4         997         3.9        60.0     100.0         - "
		"gunicorn: worker\n"
		"102            4.6      0.0       1,009         3.9        60.0     100.0         - "
		"gunicorn\n"
		"100              0      0.0           3         0.0        60.0     100.0         - "
		"gunicorn\n"
		"\n"
		"▼copies/s    MiB/s      copies  copied MiB cause          type             site\n"
		"      100      0.4       2,000         7.8 refcount       int              "
		"app.py:14 in BigApp.total\n"
		"      4.6      0.0           9         0.0 refcount       int              "
		"other.py:7 in f\n"
		"\n"
		"▼copies/s    MiB/s   % now      copies  copied MiB cause          type             "
		"what happens\n"
		"      105      0.4   100.0       2,009         7.8 refcount       int              "
		"reading objects\n"
		"\n\n\n\n"
		"q quit  ? help  Tab table  s sort  / filter  w seconds  p pause\n");
}

static void a_narrow_and_low_one(void **state)
{
	(void)state;
	a_service();
	assert_string_equal(draw(40, 6), "cowtrace top · 42 s · 0 lost · witness …\n"
					 "2,009 copies (7.8 MiB) · 105/s (0.4 MiB…\n"
					 "pid      ▼copies/s command\n"
					 "101            100 gunicorn: worker\n"
					 "102            4.6 gunicorn\n"
					 "Workers Sites Causes  q quit  ? help  T…\n");
}

static void any_size(void **state)
{
	(void)state;
	a_service();
	capture.lost = 7;
	type("j");
	for (int width = 1; width < 160; width++)
		for (int height = 1; height < 30; height++)
			draw(width, height);
	draw(CANVAS_MAX + 1, 5);
	assert_int_equal(canvas.width, CANVAS_MAX);
	draw(30, 4);
	assert_string_equal(line(0), "make this window higher: six …");
}

static void who_has_nothing_to_show(void **state)
{
	(void)state;
	live.seconds = 0;
	data.searching = true;
	draw(100, 20);
	assert_string_equal(line(1), "0 copies (0.0 MiB) · 0/s (0.0 MiB/s): 0 in 0.0 s · 0 processes");
	assert_string_equal(line(3), "  no Python process that forks runs now; waiting");
	assert_string_equal(line(6), "  no copies yet");
	data.searching = false;
	draw(100, 20);
	assert_string_equal(line(3), "  the processes have ended");
}

/* A Python that has not forked is watched, but is none of those that are looked for. */
static void who_does_not_fork(void **state)
{
	(void)state;
	data.searching = true;
	add_process(7, "alone", 0, 0);
	processes[0].facts.forked = false;
	draw(100, 10);
	assert_string_equal(line(3), "  no Python process that forks runs now; waiting");
	processes[0].children = 1;
	draw(100, 10);
	assert_non_null(strstr(line(3), "alone"));
	processes[0].children = 0;
	processes[0].n = counts(0, 1);
	draw(100, 10);
	assert_non_null(strstr(line(3), "alone"));
}

/* Rows add up to the whole. */
static void who_has_ended(void **state)
{
	(void)state;
	add_process(7, "lives", 0, 2);
	add_process(8, "just ended", 3, 3);
	add_process(9, "ended", 0, 5);
	processes[1].facts.exited = processes[2].facts.exited = true;
	live.n_ended = 11;
	live.ended = counts(0, 13);
	draw(100, 10);
	assert_non_null(strstr(line(3), "just ended (ended)"));
	assert_non_null(strstr(line(4), "18 "));
	assert_non_null(strstr(line(4), "(12 that have ended)"));
	assert_non_null(strstr(line(5), "lives"));
	assert_string_equal(line(6), "");
	assert_non_null(strstr(line(1), " 1 process"));
}

static void sites_without_a_row(void **state)
{
	(void)state;
	add_site(NULL, 0, "memcpy", 5, 5);
	add_site(NULL, 0, "read", 4, 4);
	sites[1].kernel = true;
	add_site(NULL, 0, NULL, 3, 3);
	live.sites.others = counts(1, 2);
	live.sites.n_others = 1234;
	top__key(top, TOP_KEY_TAB);
	draw(100, 10);
	assert_non_null(strstr(line(3), "memcpy"));
	assert_non_null(strstr(line(4), "read (kernel)"));
	assert_non_null(strstr(line(5), "[unknown code]"));
	assert_non_null(strstr(line(6), "(1,234 more with few copies)"));
}

static void what_is_lost(void **state)
{
	(void)state;
	capture.lost = 12345;
	capture.seconds = 3725;
	draw(100, 10);
	assert_string_equal(line(0),
			    "cowtrace top · 1 h 2 min · 12,345 lost · witness fexit · Linux 6.18.5");
	assert_int_equal(canvas.cells[25].style, STYLE_WARN);
	data.message = "something is wrong";
	draw(100, 10);
	assert_string_equal(line(9), "something is wrong");
}

/* --- names of others --------------------------------------------------------- */

static void nothing_steers_the_terminal(void **state)
{
	(void)state;
	add_process(7, "\x1b[2Jevil\x07 \xe2\x80\xae\xff", 1, 1);
	processes[0].facts.python_problem = "\x9b";
	add_site("/a\n/b\r.py", 1, "f\t\x1b]0;x\x07", 1, 1);
	draw(200, 30);
	for (int i = 0; i < canvas.width * canvas.height; i++) {
		uint32_t character = canvas.cells[i].character;

		assert_false(character && utf8__is_control(character));
	}
	assert_non_null(strstr(screen, "\\x1b[2Jevil\\x07 \\u{202e}\xef\xbf\xbd"));
	assert_non_null(strstr(screen, "b\\x0d.py:1 in f\\x09\\x1b]0;x\\x07"));
}

/* A name of wide letters, and one with marks upon letters. */
static void wide_characters(void **state)
{
	(void)state;
	canvas__resize(&canvas, 10, 1);
	assert_int_equal(canvas__width("\xe6\xbc\xa2\xe5\xad\x97"), 4);
	assert_int_equal(canvas__width("e\xcc\x81"), 1);
	assert_int_equal(canvas__text(&canvas, 0, 0, 10, STYLE_PLAIN, "\xe6\xbc\xa2\xe5\xad\x97x"), 5);
	assert_int_equal(canvas.cells[0].character, 0x6f22);
	assert_int_equal(canvas.cells[1].character, 0);
	assert_int_equal(canvas.cells[4].character, 'x');
	canvas__clear(&canvas);
	/* Half a character is none. */
	assert_int_equal(canvas__text(&canvas, 0, 0, 4, STYLE_PLAIN, "\xe6\xbc\xa2\xe5\xad\x97x"), 3);
	assert_int_equal(canvas.cells[2].character, 0x2026);
	assert_int_equal(canvas.cells[3].character, ' ');
	canvas__clear(&canvas);
	canvas__right(&canvas, 2, 0, 6, STYLE_PLAIN, "abc");
	assert_int_equal(canvas.cells[5].character, 'a');
	assert_int_equal(canvas.cells[7].character, 'c');
	assert_int_equal(canvas__text(&canvas, 10, 0, 5, STYLE_PLAIN, "a"), 0);
	assert_int_equal(canvas__text(&canvas, 0, 1, 5, STYLE_PLAIN, "a"), 0);
	assert_int_equal(canvas__text(&canvas, 0, 0, 0, STYLE_PLAIN, "a"), 0);
}

/* --- keys -------------------------------------------------------------------- */

static void the_filter(void **state)
{
	(void)state;
	a_service();
	type("/WORKER");
	draw(100, 10);
	assert_string_equal(line(9), "/WORKER_");
	assert_non_null(strstr(line(3), "gunicorn: worker"));
	assert_string_equal(line(4), "");
	type("q"); /* is a letter now */
	draw(100, 10);
	assert_string_equal(line(3), "  nothing matches the filter");
	top__key(top, TOP_KEY_BACKSPACE);
	top__key(top, TOP_KEY_ENTER);
	draw(100, 10);
	assert_non_null(strstr(line(9), "only: WORKER  q quit"));
	assert_string_equal(line(4), "");
	top__key(top, TOP_KEY_TAB); /* directories count, too */
	type("/");
	top__key(top, TOP_KEY_ERASE_ALL);
	type("srv/app/other");
	draw(100, 10);
	assert_non_null(strstr(line(3), "other.py:7"));
	assert_string_equal(line(4), "");
	top__key(top, TOP_KEY_ESCAPE);
	draw(100, 10);
	assert_non_null(strstr(line(4), "other.py:7"));
	type("/");
	for (int i = 0; i < 200; i++)
		top__key(top, 0xe9);
	for (int i = 0; i < 31; i++) /* é has two bytes, and the text at most 63 */
		top__key(top, TOP_KEY_BACKSPACE);
	top__key(top, TOP_KEY_BACKSPACE);
	top__key(top, TOP_KEY_UP);
	top__key(top, 7);
	draw(100, 10);
	assert_string_equal(line(9), "/_");
}

static void order(void **state)
{
	(void)state;
	a_service();
	draw(110, 10);
	assert_int_equal(strncmp(line(3), "101", 3), 0);
	type("s>"); /* copies/s, MiB/s, copies */
	draw(110, 10);
	assert_non_null(strstr(line(2), "▼copies "));
	assert_int_equal(strncmp(line(3), "102", 3), 0);
	type("r");
	draw(110, 10);
	assert_non_null(strstr(line(2), "▲copies "));
	assert_int_equal(strncmp(line(3), "100", 3), 0);
	type("<<<");
	draw(110, 10);
	assert_int_equal(strncmp(line(2), "pid▲", 6), 0);
	assert_int_equal(strncmp(line(3), "100", 3), 0);
	top__key(top, TOP_KEY_LEFT); /* around to the last one */
	draw(110, 10);
	assert_non_null(strstr(line(2), "command▲"));
	assert_non_null(strstr(line(5), "gunicorn: worker"));
	/* The column that sorts stays longer than others. */
	type(">>>>>>>");
	draw(110, 10);
	assert_non_null(strstr(line(2), "▼then MiB"));
	draw(40, 10);
	assert_non_null(strstr(line(2), "▼then MiB"));
}

static void tables(void **state)
{
	(void)state;
	a_service();
	draw(60, 10);
	assert_non_null(strstr(line(2), "command"));
	top__key(top, TOP_KEY_TAB);
	draw(60, 10);
	assert_non_null(strstr(line(2), "site"));
	assert_non_null(strstr(line(3), "app.py:14 in BigApp.total"));
	top__key(top, TOP_KEY_TAB);
	draw(60, 10);
	assert_non_null(strstr(line(2), "cause"));
	top__key(top, TOP_KEY_TAB);
	draw(60, 10);
	assert_non_null(strstr(line(2), "command"));
	top__key(top, TOP_KEY_BACK_TAB);
	draw(60, 10);
	assert_non_null(strstr(line(2), "cause"));
	draw(100, 18); /* all of them: the one that keys act on is marked */
	assert_int_equal(style_at(2), STYLE_HEAD);
	assert_int_equal(style_at(11), STYLE_FOCUS);
}

static void the_mark(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ROWS; i++)
		add_process(1000 + i, "worker", 100 - i, 7);
	draw(100, 13); /* nine rows */
	assert_int_equal(style_at(3), STYLE_PLAIN);
	type("j");
	draw(100, 13);
	assert_int_equal(style_at(3), STYLE_SELECTED);
	assert_non_null(strstr(line(12), "worker"));
	assert_non_null(strstr(line(12), "copies 7"));
	assert_non_null(strstr(line(12), "1000"));
	top__key(top, TOP_KEY_PAGE_DOWN);
	draw(100, 13);
	assert_int_equal(strncmp(line(11), "1009", 4), 0);
	assert_int_equal(style_at(11), STYLE_SELECTED);
	top__key(top, TOP_KEY_END);
	draw(100, 13);
	assert_int_equal(strncmp(line(11), "1049", 4), 0);
	top__key(top, TOP_KEY_DOWN);
	draw(100, 13);
	assert_int_equal(style_at(11), STYLE_SELECTED);
	top__key(top, TOP_KEY_HOME);
	draw(100, 13);
	assert_int_equal(style_at(3), STYLE_SELECTED);
	top__key(top, TOP_KEY_DOWN);
	top__key(top, TOP_KEY_DOWN);
	top__key(top, TOP_KEY_UP);
	draw(100, 13);
	assert_int_equal(style_at(4), STYLE_SELECTED);
	assert_int_equal(strncmp(line(4), "1001", 4), 0);
	/* It goes where its row goes. */
	processes[1].n = counts(97, 7);
	processes[2].n = counts(99, 8);
	draw(100, 13);
	assert_int_equal(style_at(4), STYLE_PLAIN);
	assert_int_equal(style_at(5), STYLE_SELECTED);
	assert_int_equal(strncmp(line(5), "1001", 4), 0);
	/* If that is gone, another has its place. */
	live.n_processes = 1;
	draw(100, 13);
	assert_int_equal(style_at(3), STYLE_SELECTED);
	top__key(top, TOP_KEY_ESCAPE);
	draw(100, 13);
	assert_int_equal(style_at(3), STYLE_PLAIN);
	live.n_processes = 0;
	type("jk");
	draw(100, 13);
}

static void other_keys(void **state)
{
	(void)state;
	a_service();
	assert_int_equal(top__key(top, 'x'), TOP_NOTHING);
	assert_int_equal(top__key(top, TOP_KEY_OTHER), TOP_NOTHING);
	assert_int_equal(top__key(top, TOP_KEY_REDRAW), TOP_RENEW);
	assert_int_equal(top__window(top), 5);
	assert_int_equal(top__key(top, 'w'), TOP_DRAW);
	assert_int_equal(top__window(top), 15);
	type("www");
	assert_int_equal(top__window(top), 5);
	assert_false(top__paused(top));
	type("p");
	assert_true(top__paused(top));
	draw(100, 10);
	assert_non_null(strstr(line(0), "PAUSED"));
	type(" ");
	assert_false(top__paused(top));
	type("?");
	draw(100, 24);
	assert_non_null(strstr(screen, "the next table"));
	assert_int_equal(top__key(top, 'x'), TOP_DRAW);
	draw(100, 24);
	assert_null(strstr(screen, "the next table"));
	type("h");
	assert_int_equal(top__key(top, 'q'), TOP_QUIT);
	assert_int_equal(top__key(top, 'q'), TOP_QUIT);
}

static void at_most_so_many_rows(void **state)
{
	(void)state;
	top__free(top);
	assert_int_equal(top__new(2, &top), 0);
	a_service();
	draw(100, 10);
	assert_int_equal(strncmp(line(4), "102", 3), 0);
	assert_string_equal(line(5), "");
}

#define SCREEN(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCREEN(a_wide_and_high_one),
		SCREEN(a_narrow_and_low_one),
		SCREEN(any_size),
		SCREEN(who_has_nothing_to_show),
		SCREEN(who_does_not_fork),
		SCREEN(who_has_ended),
		SCREEN(sites_without_a_row),
		SCREEN(what_is_lost),
		SCREEN(nothing_steers_the_terminal),
		SCREEN(wide_characters),
		SCREEN(the_filter),
		SCREEN(order),
		SCREEN(tables),
		SCREEN(the_mark),
		SCREEN(other_keys),
		SCREEN(at_most_so_many_rows),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
