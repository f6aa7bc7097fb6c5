/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"

/* What standard error was given while the file stood in for it. */
struct capture {
	int saved;
	FILE *file;
	char text[8192];
};

static void begin(struct capture *c)
{
	fflush(stderr);
	c->saved = dup(STDERR_FILENO);
	c->file = tmpfile();
	assert_non_null(c->file);
	assert_true(dup2(fileno(c->file), STDERR_FILENO) >= 0);
}

static const char *end(struct capture *c)
{
	size_t n;

	fflush(stderr);
	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	rewind(c->file);
	n = fread(c->text, 1, sizeof(c->text) - 1, c->file);
	c->text[n] = '\0';
	fclose(c->file);
	return c->text;
}

static void levels_above_the_limit_are_dropped(void **state)
{
	struct capture c;

	(void)state;
	begin(&c);
	log_error("a %d", 1);
	log_warn("b");
	log_info("c");
	log_debug("d");
	assert_string_equal(end(&c), "cowtrace: a 1\ncowtrace: b\n");

	log__set_level(LOG_DEBUG);
	begin(&c);
	log_info("c");
	log_debug("d");
	assert_string_equal(end(&c), "cowtrace: c\ncowtrace: d\n");

	log__set_level(LOG_ERROR);
	begin(&c);
	log_warn("b");
	assert_string_equal(end(&c), "");
	log__set_level(LOG_WARN);
}

static void hostile_text_stays_on_one_line_and_steers_nothing(void **state)
{
	struct capture c;

	(void)state;
	begin(&c);
	log_error("file '%s'", "x\n\x1b[31m\xff\xe2\x80\xaey\xc3\xa9");
	assert_string_equal(end(&c), "cowtrace: file 'x??[31m\xef\xbf\xbd?y\xc3\xa9'\n");
}

static void endless_text_is_cut(void **state)
{
	_free_ char *text = malloc(100001);
	struct capture c;
	size_t len;

	(void)state;
	memset(text, 'x', 100000);
	text[100000] = '\0';
	begin(&c);
	log_error("%s", text);
	end(&c);
	len = strlen(c.text);
	assert_int_equal(len, strlen("cowtrace: ") + 2047 + 1);
	assert_int_equal(c.text[len - 1], '\n');
}

static void error_is_evaluated_once_and_returned(void **state)
{
	struct capture c;
	int n = -4;
	int err;

	(void)state;
	begin(&c);
	err = log_err_r(--n, "no %s", "luck");
	assert_string_equal(end(&c), "cowtrace: no luck\n");
	assert_int_equal(err, -5);
	assert_int_equal(n, -5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_above_the_limit_are_dropped),
		cmocka_unit_test(hostile_text_stays_on_one_line_and_steers_nothing),
		cmocka_unit_test(endless_text_is_cut),
		cmocka_unit_test(error_is_evaluated_once_and_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
