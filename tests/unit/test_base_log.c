/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
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

/* --- the status line --------------------------------------------------------- */

/* Runs act with a terminal of its own as standard error; foreground: and in its foreground. Returns
 * what the terminal was sent. */
static const char *on_a_terminal(void (*act)(void), bool foreground)
{
	static char text[8192];
	int terminal = posix_openpt(O_RDWR | O_NOCTTY);
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	assert_true(terminal >= 0 && !grantpt(terminal) && !unlockpt(terminal));
	pid = fork();
	if (pid == 0) {
		struct winsize size = {.ws_row = 5, .ws_col = 21};
		int fd;

		setsid();
		fd = open(ptsname(terminal), O_RDWR); /* becomes the controlling one */
		ioctl(fd, TIOCSWINSZ, &size);
		dup2(fd, STDERR_FILENO);
		if (!foreground && fork() == 0)
			setpgid(0, 0);
		act();
		/* The session's first process must not end before its child has: it would be hung
		 * up. */
		while (wait(NULL) > 0)
			;
		_exit(0);
	}
	while (used < sizeof(text) - 1 &&
	       (n = read(terminal, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	waitpid(pid, NULL, 0);
	close(terminal);
	return text;
}

#define ERASE "\r\033[K"

static void say(void)
{
	log__status("12 s");
	log__status("13 s");
	log_warn("w");
	log__status("a line of more than twenty columns");
	log__status("\x1b[2J\xe2\x80\xae\xff");
	log__status(NULL);
	log__status(NULL);
	log_warn("end");
}

static void one_line_replaces_the_other(void **state)
{
	(void)state;
	assert_string_equal(on_a_terminal(say, true),
			    "12 s" ERASE "13 s" ERASE "cowtrace: w\r\n"
			    "a line of more than " ERASE "?[2J?\xef\xbf\xbd" ERASE
			    "cowtrace: end\r\n");
}

static void say_in_the_background(void)
{
	if (getpgrp() == getpid() && getsid(0) == getpid())
		return; /* the first process of the session */
	say();
}

static void nothing_in_the_background(void **state)
{
	(void)state;
	assert_string_equal(on_a_terminal(say_in_the_background, false),
			    "cowtrace: w\r\ncowtrace: end\r\n");
}

static void say_quietly(void)
{
	log__no_status();
	say();
}

static void nothing_if_it_is_unwanted(void **state)
{
	struct capture c;

	(void)state;
	assert_string_equal(on_a_terminal(say_quietly, true), "cowtrace: w\r\ncowtrace: end\r\n");
	begin(&c); /* a file */
	say();
	assert_string_equal(end(&c), "cowtrace: w\ncowtrace: end\n");
}

static char taken[256];

static void take(void *ctx, enum log_level level, const char *message)
{
	assert_ptr_equal(ctx, taken);
	assert_int_equal(level, LOG_WARN);
	snprintf(taken, sizeof(taken), "%s", message);
}

static void messages_can_go_elsewhere(void **state)
{
	struct capture c;

	(void)state;
	begin(&c);
	log__redirect(take, taken);
	log_warn("a\x1b[2J\nb");
	log__redirect(NULL, NULL);
	log_warn("b");
	assert_string_equal(end(&c), "cowtrace: b\n");
	assert_string_equal(taken, "a?[2J?b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_above_the_limit_are_dropped),
		cmocka_unit_test(hostile_text_stays_on_one_line_and_steers_nothing),
		cmocka_unit_test(endless_text_is_cut),
		cmocka_unit_test(error_is_evaluated_once_and_returned),
		cmocka_unit_test(one_line_replaces_the_other),
		cmocka_unit_test(nothing_in_the_background),
		cmocka_unit_test(nothing_if_it_is_unwanted),
		cmocka_unit_test(messages_can_go_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
