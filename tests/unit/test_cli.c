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

#include "cli.h"

/* What a file descriptor was given while the file stood in for it. */
struct capture {
	int fd, saved;
	FILE *file;
	char text[8192];
};

static struct capture out = {.fd = STDOUT_FILENO}, err = {.fd = STDERR_FILENO};
static struct options opt;

static void begin(struct capture *c)
{
	c->saved = dup(c->fd);
	c->file = tmpfile();
	assert_non_null(c->file);
	assert_int_equal(dup2(fileno(c->file), c->fd), c->fd);
}

static void end(struct capture *c)
{
	size_t n;

	dup2(c->saved, c->fd);
	close(c->saved);
	rewind(c->file);
	n = fread(c->text, 1, sizeof(c->text) - 1, c->file);
	c->text[n] = '\0';
	fclose(c->file);
}

static int parse(char *const *words)
{
	static char *argv[32]; /* opt.argv points into it */
	int argc, status;

	for (argc = 0; words[argc]; argc++)
		argv[argc] = words[argc];
	argv[argc] = NULL;
	memset(&opt, 0x5a, sizeof(opt));
	fflush(stdout);
	fflush(stderr);
	begin(&out);
	begin(&err);
	status = cli__parse(argc, argv, &opt);
	fflush(stdout);
	fflush(stderr);
	end(&err);
	end(&out);
	return status;
}

#define PARSE(...) parse((char *[]){"cowtrace", ##__VA_ARGS__, NULL})

/* A command line that is fine, and silent about it. */
#define GOOD(...)                                                                                  \
	do {                                                                                       \
		assert_int_equal(PARSE("run", __VA_ARGS__), -1);                                   \
		assert_string_equal(err.text, "");                                                 \
		assert_string_equal(out.text, "");                                                 \
		assert_string_equal(opt.command, "run");                                           \
	} while (0)

/* One that is not: status 2, and a word about it on standard error only. */
#define BAD(word, ...)                                                                             \
	do {                                                                                       \
		assert_int_equal(PARSE(__VA_ARGS__), STATUS_USAGE);                                \
		assert_int_equal(strncmp(err.text, "cowtrace: ", 10), 0);                          \
		assert_non_null(strstr(err.text, word));                                           \
		assert_non_null(strstr(err.text, "; see cowtrace --help\n"));                      \
		assert_string_equal(out.text, "");                                                 \
	} while (0)

static void nothing_is_set_by_default(void **state)
{
	(void)state;
	GOOD("true");
	assert_null(opt.user);
	assert_null(opt.witness);
	assert_null(opt.json);
	assert_null(opt.folded);
	assert_int_equal(opt.ring_size, 0);
	assert_int_equal(opt.top, 0);
	assert_int_equal(opt.verbose, 0);
	assert_false(opt.delayacct);
	assert_false(opt.quiet);
	assert_string_equal(opt.argv[0], "true");
	assert_null(opt.argv[1]);
}

static void every_option(void **state)
{
	(void)state;
	GOOD("--json", "a.json", "--folded", "-", "--witness", "fexit", "--top", "25",
	     "--ring-size", "4096", "--delayacct", "--user", "www", "--quiet", "--verbose", "--",
	     "cmd", "arg");
	assert_string_equal(opt.json, "a.json");
	assert_string_equal(opt.folded, "-");
	assert_string_equal(opt.witness, "fexit");
	assert_int_equal(opt.top, 25);
	assert_int_equal(opt.ring_size, 4096);
	assert_true(opt.delayacct);
	assert_string_equal(opt.user, "www");
	assert_true(opt.quiet);
	assert_int_equal(opt.verbose, 1);
	assert_string_equal(opt.argv[0], "cmd");
	assert_string_equal(opt.argv[1], "arg");
	assert_null(opt.argv[2]);
}

static void other_ways_to_write_them(void **state)
{
	(void)state;
	GOOD("--json=a b", "-qvv", "-v", "-uwww", "--top=3", "cmd");
	assert_string_equal(opt.json, "a b");
	assert_true(opt.quiet);
	assert_int_equal(opt.verbose, 3);
	assert_string_equal(opt.user, "www");
	assert_int_equal(opt.top, 3);
	GOOD("-u", "www", "--json", "a", "--json", "b", "cmd"); /* the last one counts */
	assert_string_equal(opt.user, "www");
	assert_string_equal(opt.json, "b");
	GOOD("--json", "--", "cmd"); /* a file of a silly name */
	assert_string_equal(opt.json, "--");
}

/* Options end at the command, whose own ones are not ours, and at "--". */
static void the_command_keeps_its_arguments(void **state)
{
	static const char *const want[] = {"cmd", "-q", "--json", "x", "--", "-v"};

	(void)state;
	GOOD("cmd", "-q", "--json", "x", "--", "-v");
	for (int i = 0; i < 6; i++)
		assert_string_equal(opt.argv[i], want[i]);
	assert_null(opt.argv[6]);
	assert_false(opt.quiet);
	assert_null(opt.json);
	assert_int_equal(opt.verbose, 0);
	GOOD("-v", "--", "cmd", "-q", "--json", "x", "--", "-v");
	for (int i = 0; i < 6; i++)
		assert_string_equal(opt.argv[i], want[i]);
	assert_false(opt.quiet);
	assert_int_equal(opt.verbose, 1);
	GOOD("--", "-cmd");
	assert_string_equal(opt.argv[0], "-cmd");
	GOOD("--", "--", "x");
	assert_string_equal(opt.argv[0], "--");
	assert_string_equal(opt.argv[1], "x");
	GOOD("");
	assert_string_equal(opt.argv[0], "");
}

static void sizes(void **state)
{
	static const struct {
		char *text;
		size_t size;
	} good[] = {{"1", 1},
		    {"4096", 4096},
		    {"64k", 65536},
		    {"64K", 65536},
		    {"8m", 8 << 20},
		    {"8M", 8 << 20},
		    {"1g", 1ul << 30},
		    {"1G", 1ul << 30},
		    {"1024M", 1ul << 30},
		    {"1073741824", 1ul << 30}};
	static char *const bad[] = {
		"",
		"0",
		"0k",
		"-1",
		"-1k",
		"k",
		"1kk",
		"1k ",
		"1T",
		"1.5M",
		"1GB",
		"0x10",
		"1025M",
		"1073741825",
		"2G",
		"99999999999999999999",
		"17179869185G",
		"18446744073709551615",
		"x",
		"1 k",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		GOOD("--ring-size", good[i].text, "cmd");
		assert_int_equal(opt.ring_size, good[i].size);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		BAD("--ring-size takes", "run", "--ring-size", bad[i], "cmd");
}

/* include/cowtrace/abi.h, enum ct_piece: the last one that is on. */
static void pieces(void **state)
{
	static char *const names[] = {"empty", "witness", "record", "evidence", "stack"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		GOOD("--pieces", names[i], "cmd");
		assert_int_equal(opt.off, 15 >> i << i);
	}
	BAD("--pieces takes", "run", "--pieces", "all", "cmd");
}

static void rows(void **state)
{
	static char *const bad[] = {"0", "-1", "100001", "98k", "1G", "all", "", "10 "};

	(void)state;
	GOOD("--top", "1", "cmd");
	assert_int_equal(opt.top, 1);
	GOOD("--top", "100000", "cmd");
	assert_int_equal(opt.top, 100000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		BAD("--top takes", "run", "--top", bad[i], "cmd");
	BAD("not: seven", "run", "--top", "seven", "cmd"); /* what was wrong is quoted */
}

static void wrong_command_lines(void **state)
{
	(void)state;
	assert_int_equal(parse((char *[]){NULL}), STATUS_USAGE);
	BAD("no command");
	BAD("unknown command: frob", "frob");
	BAD("unknown command: ", "");
	BAD("unknown command: ru", "ru", "--", "cmd");
	BAD("no command", "-v");
	BAD("no command", "-v", "run", "--", "cmd");
	BAD("no command", "--");
	BAD("nothing to run", "run");
	BAD("nothing to run", "run", "-v");
	BAD("nothing to run", "run", "--");
	BAD("nothing to run", "run", "--json", "x");
	BAD("unrecognized option '--frob'", "run", "--frob", "cmd");
	BAD("unrecognized option '--frob'", "--frob");
	BAD("invalid option -- 'x'", "run", "-x", "cmd");
	BAD("'--json' requires an argument", "run", "--json");
	BAD("requires an argument -- 'u'", "run", "-u");
	BAD("doesn't allow an argument", "run", "--quiet=yes", "cmd");
}

/* "-p PID[,PID...]", once or more often. */
static void processes(void **state)
{
	(void)state;
	assert_int_equal(PARSE("attach", "-p", "17"), -1);
	assert_int_equal(opt.n_pids, 1);
	assert_int_equal(opt.pids[0], 17);
	assert_int_equal(PARSE("attach", "-p", (char[]){"3,1,2"}, "--pid", "4194304", "--pid=7"),
			 -1);
	assert_int_equal(opt.n_pids, 5);
	assert_int_equal(opt.pids[0], 3);
	assert_int_equal(opt.pids[2], 2);
	assert_int_equal(opt.pids[3], 4194304); /* the kernel has no larger ones */
	assert_int_equal(opt.pids[4], 7);
	assert_string_equal(err.text, "");
	assert_int_equal(PARSE("attach", "-p", (char[]){"5,6,5"}), -1);
	assert_int_equal(opt.n_pids, 2);
	assert_string_equal(err.text, "cowtrace: process 5 is named twice\n");
}

static void what_is_no_process(void **state)
{
	static const char *const bad[] = {
		"",    "0",   "-1",  "x",   "1x",      "0x10",
		" 1",  "+1",  "1,",  ",1",  "1,,2",    "1 2",
		"1.5", "1;2", "1\n", "\t1", "4194305", "99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char word[32];

		snprintf(word, sizeof(word), "%s", bad[i]); /* it is taken apart */
		BAD("-p takes numbers of processes", "attach", "-p", word);
		snprintf(word, sizeof(word), "%s", bad[i]);
		BAD("-p takes numbers of processes", "top", "-p", word);
	}
	BAD("not: ''", "attach", "-p", (char[]){""});
	BAD("not: x", "attach", "-p", (char[]){"1,x,2"});
	BAD("run: -p", "run", "-p", (char[]){"1"}, "cmd");
	BAD("attach: to which process", "attach");
	BAD("not: word", "attach", "-p", (char[]){"1"}, "word");
}

static void more_processes_than_there_is_room_for(void **state)
{
	static char list[8 * (CLI_MAX_PIDS + 1)], again[8 * CLI_MAX_PIDS];
	char *to = list;

	(void)state;
	for (int i = 1; i <= CLI_MAX_PIDS + 1; i++)
		to += sprintf(to, "%s%d", i > 1 ? "," : "", i);
	memcpy(again, list, (size_t)(strrchr(list, ',') - list));
	BAD("too many processes", "attach", "-p", list);
	assert_int_equal(PARSE("attach", "-p", again), -1);
	assert_int_equal(opt.n_pids, CLI_MAX_PIDS);
	assert_int_equal(opt.pids[CLI_MAX_PIDS - 1], CLI_MAX_PIDS);
}

static void top_takes_little(void **state)
{
	(void)state;
	assert_int_equal(PARSE("top"), -1);
	assert_string_equal(opt.command, "top");
	assert_int_equal(opt.n_pids, 0);
	assert_int_equal(PARSE("top", "--witness", "kprobe", "--top", "7", "--ring-size", "1M",
			       "-qv", "-p", (char[]){"12"}),
			 -1);
	assert_int_equal(opt.pids[0], 12);
	BAD("not: word", "top", "word");
	BAD("top: writes no outputs", "top", "--json", "x");
	BAD("top: writes no outputs", "top", "--save", "x");
	BAD("top: writes no outputs", "top", "--html", "-");
	BAD("top: takes -p", "top", "--delayacct");
	BAD("top: takes -p", "top", "--for", "3");
	BAD("top: takes -p", "top", "-u", "www");
}

static void serve_takes_targets_and_an_address(void **state)
{
	(void)state;
	assert_int_equal(PARSE("serve"), -1);
	assert_null(opt.listen);
	assert_false(opt.listen_public);
	assert_int_equal(PARSE("serve", "--comm", "gunicorn", "--comm", "celery", "--cgroup", "/a",
			       "--listen", "[::1]:1", "--listen-public", "-p", (char[]){"12"}),
			 -1);
	assert_int_equal(opt.n_names, 2);
	assert_string_equal(opt.names[1], "celery");
	assert_int_equal(opt.n_cgroups, 1);
	assert_string_equal(opt.cgroups[0], "/a");
	assert_string_equal(opt.listen, "[::1]:1");
	assert_true(opt.listen_public);
	assert_int_equal(opt.pids[0], 12);
	BAD("not: word", "serve", "word");
	BAD("serve: writes no outputs", "serve", "--json", "x");
	BAD("serve: takes -p", "serve", "--for", "3");
	BAD("serve: takes -p", "serve", "--top", "3");
	BAD("take a name", "serve", "--comm", "");
	BAD("are options of serve", "top", "--comm", "x");
	BAD("are options of serve", "attach", "--listen", "x", "-p", (char[]){"1"});
	BAD("are options of serve", "run", "--listen-public", "true");
	BAD("check: traces nothing", "check", "--cgroup", "/");
}

static void check_takes_little(void **state)
{
	(void)state;
	assert_int_equal(PARSE("check"), -1);
	assert_string_equal(opt.command, "check");
	assert_null(opt.json);
	assert_int_equal(PARSE("check", "--json", "x", "-qvv"), -1);
	assert_string_equal(opt.json, "x");
	assert_true(opt.quiet);
	assert_int_equal(opt.verbose, 2);
	BAD("check: takes no arguments; what shall be done with: word", "check", "word");
	BAD("check: takes no arguments", "check", "--", "word");
	BAD("check: traces nothing", "check", "--witness", "fexit");
	BAD("check: traces nothing", "check", "--folded", "x");
	BAD("check: traces nothing", "check", "--top", "3");
	BAD("check: traces nothing", "check", "--ring-size", "1M");
	BAD("check: traces nothing", "check", "--delayacct");
	BAD("check: traces nothing", "check", "-u", "www");
	BAD("unrecognized option '--frob'", "check", "--frob");
	assert_int_equal(PARSE("check", "--help"), STATUS_OK);
}

static void a_baseline_is_for_reports(void **state)
{
	(void)state;
	assert_int_equal(PARSE("report", "new.cow", "--baseline", "old.cow"), -1);
	assert_string_equal(opt.argv[0], "new.cow");
	assert_string_equal(opt.baseline, "old.cow");
	assert_int_equal(PARSE("report", "--baseline=old.cow", "-q", "new.cow"), -1);
	assert_string_equal(opt.baseline, "old.cow");
	assert_int_equal(PARSE("report", "new.cow"), -1);
	assert_null(opt.baseline);
	BAD("--baseline is an option of report", "run", "--baseline", "old.cow", "cmd");
	BAD("--baseline is an option of report", "attach", "--baseline", "old.cow", "-p", "1");
	BAD("--baseline is an option of report", "top", "--baseline", "old.cow");
	BAD("check: traces nothing", "check", "--baseline", "old.cow");
	BAD("of which recording", "report", "--baseline", "old.cow");
	BAD("'--baseline' requires an argument", "report", "new.cow", "--baseline");
	BAD("can not show a difference", "report", "new.cow", "--baseline", "old.cow",
	    "--speedscope", "x");
}

static void what_a_terminal_obeys_is_not_repeated(void **state)
{
	(void)state;
	BAD("unknown command: ?[31m", "\x1b[31m");
	assert_null(strchr(err.text, '\x1b'));
}

static void help_and_version(void **state)
{
	static char *const help[][3] = {{"--help"}, {"-h"}, {"run", "--help"}, {"run", "-vh"}};

	(void)state;
	for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++) {
		assert_int_equal(PARSE(help[i][0], help[i][1]), STATUS_OK);
		assert_int_equal(strncmp(out.text, "Usage: cowtrace run ", 20), 0);
		assert_string_equal(err.text, "");
	}
	assert_int_equal(PARSE("--version"), STATUS_OK);
	assert_string_equal(out.text, "cowtrace " COWTRACE_VERSION "\n");
	assert_int_equal(PARSE("run", "--version", "--frob"), STATUS_OK);
	assert_string_equal(out.text, "cowtrace " COWTRACE_VERSION "\n");
	assert_string_equal(err.text, "");
	GOOD("cmd", "--help");
}

/* Every option is in the help, and the help fits a terminal of 100 columns. */
static void the_help_is_complete(void **state)
{
	static const char *const words[] = {
		"--json FILE",	  "--folded FILE", "-u, --user USER",	"--delayacct",
		"--witness NAME", "--top N",	   "--ring-size BYTES", "-q, --quiet",
		"-v, --verbose",  "-h, --help",	   "--version"};
	const char *line, *next;

	(void)state;
	PARSE("--help");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_non_null(strstr(out.text, words[i]));
	for (line = out.text; (next = strchr(line, '\n')); line = next + 1)
		assert_true(next - line <= 100);
	assert_string_equal(line, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_set_by_default),
		cmocka_unit_test(every_option),
		cmocka_unit_test(other_ways_to_write_them),
		cmocka_unit_test(the_command_keeps_its_arguments),
		cmocka_unit_test(sizes),
		cmocka_unit_test(pieces),
		cmocka_unit_test(rows),
		cmocka_unit_test(wrong_command_lines),
		cmocka_unit_test(check_takes_little),
		cmocka_unit_test(a_baseline_is_for_reports),
		cmocka_unit_test(processes),
		cmocka_unit_test(what_is_no_process),
		cmocka_unit_test(more_processes_than_there_is_room_for),
		cmocka_unit_test(top_takes_little),
		cmocka_unit_test(serve_takes_targets_and_an_address),
		cmocka_unit_test(what_a_terminal_obeys_is_not_repeated),
		cmocka_unit_test(help_and_version),
		cmocka_unit_test(the_help_is_complete),
	};

	setenv("LC_ALL", "C", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
