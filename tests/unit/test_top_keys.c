/* SPDX-License-Identifier: MIT */
/* What the keys of top do. */
#include "top_screen.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCREEN(the_filter), SCREEN(order),	SCREEN(tables),
		SCREEN(the_mark),   SCREEN(other_keys), SCREEN(at_most_so_many_rows),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
