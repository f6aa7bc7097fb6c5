/* SPDX-License-Identifier: MIT */
/* What top shows: screens as text. */
#include "top_screen.h"

/* --- screens ----------------------------------------------------------------- */

static void a_wide_and_high_one(void **state)
{
	(void)state;
	a_service();
	assert_string_equal(
		draw(110, 18),
		"cowtrace top · 42 s · 0 lost · witness fexit · Linux 6.18.5\n"
		"2,009 copies (7.8 MiB) · 105/s (0.4 MiB/s): 523 in 5.0 s · 3 processes\n"
		"pid      ▼copies/s    MiB/s      copies  copied MiB  shared MiB  then MiB   new "
		"MiB "
		"command\n"
		"101            100      0.4         997         3.9        60.0     100.0         "
		"- "
		"gunicorn: worker\n"
		"102            4.6      0.0       1,009         3.9        60.0     100.0         "
		"- "
		"gunicorn\n"
		"100              0      0.0           3         0.0        60.0     100.0         "
		"- "
		"gunicorn\n"
		"\n"
		"▼copies/s    MiB/s      copies  copied MiB cause          type             site\n"
		"      100      0.4       2,000         7.8 refcount       int              "
		"app.py:14 in BigApp.total\n"
		"      4.6      0.0           9         0.0 refcount       int              "
		"other.py:7 in f\n"
		"\n"
		"▼copies/s    MiB/s   % now      copies  copied MiB cause          type            "
		" "
		"what happens\n"
		"      105      0.4   100.0       2,009         7.8 refcount       int             "
		" "
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
	assert_string_equal(line(1),
			    "0 copies (0.0 MiB) · 0/s (0.0 MiB/s): 0 in 0.0 s · 0 processes");
	assert_string_equal(line(3), "  no Python process that forks runs now; waiting");
	assert_string_equal(line(6), "  no copies yet");
	data.closed = 17;
	draw(100, 20);
	assert_string_equal(line(3),
			    "  no Python process that forks is seen; 17 processes may not be "
			    "looked into: run cowtrace as root");
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
	processes[0].facts.python = "3.11.2";
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
	add_process(10, "has copied nothing", 0, 0);
	for (int i = 1; i < 4; i++)
		processes[i].facts.exited = true;
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

/* What a Python starts is traced with it; who looks for Pythons sees it in one row. */
static void who_runs_no_python(void **state)
{
	(void)state;
	add_process(7, "python", 3, 3);
	add_process(8, "sh", 5, 7);
	add_process(9, "cc", 0, 11);
	processes[0].facts.python = "3.11.2";
	draw(100, 10);
	assert_non_null(strstr(screen, "cc"));
	data.searching = true;
	draw(100, 10);
	assert_null(strstr(screen, "cc"));
	assert_non_null(strstr(line(3), "18 "));
	assert_non_null(strstr(line(3), "(2 that run no Python)"));
	assert_non_null(strstr(line(4), "python"));
	assert_string_equal(line(5), "");
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
	assert_string_equal(
		line(0), "cowtrace top · 1 h 2 min · 12,345 lost · witness fexit · Linux 6.18.5");
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
	assert_int_equal(canvas__text(&canvas, 0, 0, 10, STYLE_PLAIN, "\xe6\xbc\xa2\xe5\xad\x97x"),
			 5);
	assert_int_equal(canvas.cells[0].character, 0x6f22);
	assert_int_equal(canvas.cells[1].character, 0);
	assert_int_equal(canvas.cells[4].character, 'x');
	canvas__clear(&canvas);
	/* Half a character is none. */
	assert_int_equal(canvas__text(&canvas, 0, 0, 4, STYLE_PLAIN, "\xe6\xbc\xa2\xe5\xad\x97x"),
			 3);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCREEN(a_wide_and_high_one),
		SCREEN(a_narrow_and_low_one),
		SCREEN(any_size),
		SCREEN(who_has_nothing_to_show),
		SCREEN(who_does_not_fork),
		SCREEN(who_has_ended),
		SCREEN(who_runs_no_python),
		SCREEN(sites_without_a_row),
		SCREEN(what_is_lost),
		SCREEN(nothing_steers_the_terminal),
		SCREEN(wide_characters),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
