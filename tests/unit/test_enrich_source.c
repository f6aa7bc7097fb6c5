/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "enrich/source.h"

static char dir[64];
static struct source *source;
static char line[SOURCE_LINE_MAX];

/* A file below the directory of the test. */
static const char *in_dir(const char *name)
{
	static char paths[4][512];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static const char *make_file(const char *name, const char *text, mode_t mode)
{
	const char *path = in_dir(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

#define NOBODY 65534

/* A process with this root and working directory that only lives until the test ends it. */
static pid_t child(const char *root, const char *cwd, uint32_t gid)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (gid != getgid() && setresgid(gid, gid, gid))
			_exit(1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if ((root && chroot(root)) || chdir(cwd) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Sources as a process sees them that has ended by now, as most have when the report is made. */
static void sources_of(const char *root, const char *cwd, uint32_t uid)
{
	/* its group goes with its user */
	pid_t pid = child(root, cwd, uid == NOBODY ? NOBODY : getgid());

	source__as(source, pid, uid);
	end(pid);
}

static int quote(const char *path, uint32_t number)
{
	memset(line, 'Z', sizeof(line));
	return source__line(source, path, number, line, sizeof(line));
}

static void expect_line(const char *path, uint32_t number, const char *want)
{
	assert_int_equal(quote(path, number), 0);
	assert_string_equal(line, want);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/cowtrace-source-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	return source__new(&source);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	source__free(source);
	return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Who is not root can not become another user. */
static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("skipped: needs root\n");
	skip();
}

/* --- lines --- */

static void lines_without_their_indentation(void **state)
{
	const char *path = make_file("a.py", "first\n\n\t  if x:  \r\n\xff\x01\nlast", 0644);

	(void)state;
	sources_of(NULL, "/", getuid());
	expect_line(path, 1, "first");
	expect_line(path, 3, "if x:");
	expect_line(path, 4, "\xef\xbf\xbd\x01"); /* valid UTF-8; escaping is for the sinks */
	expect_line(path, 5, "last");
	assert_int_equal(quote(path, 2), -ENOENT); /* nothing to quote */
	assert_int_equal(quote(path, 6), -ENOENT);
	assert_int_equal(quote(path, UINT32_MAX), -ENOENT);
	assert_int_equal(quote(path, 0), -ENOENT);
	assert_int_equal(quote(in_dir("none.py"), 1), -ENOENT);
	assert_int_equal(quote("", 1), -ENOENT);
}

static void long_lines_are_cut(void **state)
{
	char *text = malloc(100001);
	const char *path;

	(void)state;
	memset(text, 'x', 100000);
	text[100000] = '\0';
	path = make_file("a.py", text, 0644);
	free(text);
	sources_of(NULL, "/", getuid());
	assert_int_equal(quote(path, 1), 0);
	assert_true(strlen(line) < sizeof(line));
	assert_string_equal(line + strlen(line) - 4, "x\xe2\x80\xa6");
}

static void nothing_is_known_before_the_command(void **state)
{
	const char *path = make_file("a.py", "text\n", 0644);

	(void)state;
	assert_int_equal(quote(path, 1), -ENOENT);
	source__as(source, INT32_MAX, 0); /* no such process */
	assert_int_equal(quote(path, 1), -ENOENT);
	source__free(NULL);
}

/* --- not everything is a source --- */

static void only_regular_files(void **state)
{
	const char *fifo = in_dir("fifo"), *big;

	(void)state;
	sources_of(NULL, "/", getuid());
	assert_int_equal(mkfifo(fifo, 0644), 0);
	alarm(10); /* must not wait for a writer */
	assert_int_equal(quote(fifo, 1), -EINVAL);
	alarm(0);
	assert_int_equal(quote(dir, 1), -EINVAL);
	assert_int_equal(quote("/dev/zero", 1), -EINVAL);
	big = make_file("big.py", "text\n", 0644);
	assert_int_equal(truncate(big, 16 << 20), 0);
	expect_line(big, 1, "text");
	assert_int_equal(truncate(big, (16 << 20) + 1), 0);
	assert_int_equal(quote(big, 1), -EINVAL);
}

/* --- whose rights --- */

static void files_of_others_are_not_quoted(void **state)
{
	const char *secret, *mine, *open_to_all;

	(void)state;
	need_root();
	secret = make_file("secret", "password\n", 0600);
	mine = make_file("mine", "mine\n", 0600);
	open_to_all = make_file("open", "hello\n", 0644);
	assert_int_equal(chown(mine, NOBODY, 0), 0);
	sources_of(NULL, dir, NOBODY);
	assert_int_equal(quote(secret, 1), -EACCES);
	assert_int_equal(quote("secret", 1), -EACCES);
	assert_null(memmem(line, sizeof(line), "password", 8));
	expect_line(mine, 1, "mine");
	expect_line(open_to_all, 1, "hello");
	/* the rights are back: root's own command may read it */
	sources_of(NULL, dir, 0);
	expect_line(secret, 1, "password");
}

static void directories_of_others_are_closed(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(mkdir(in_dir("private"), 0700), 0);
	make_file("private/a.py", "text\n", 0644);
	sources_of(NULL, "/", NOBODY);
	assert_int_equal(quote(in_dir("private/a.py"), 1), -EACCES);
	sources_of(NULL, "/", 0);
	expect_line(in_dir("private/a.py"), 1, "text");
}

/* A login as root has the supplementary group root, and /etc/sudoers is readable to that group. */
static void groups_of_cowtrace_do_not_count(void **state)
{
	const gid_t root = 0;
	const char *path;

	(void)state;
	need_root();
	assert_int_equal(setgroups(1, &root), 0);
	path = make_file("sudoers", "password\n", 0440);
	sources_of(NULL, "/", NOBODY);
	assert_int_equal(quote(path, 1), -EACCES);
}

/* --- which root, which directory --- */

static void relative_paths_begin_where_the_command_does(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_dir("app"), 0755), 0);
	make_file("app/a.py", "in app\n", 0644);
	make_file("b.py", "above\n", 0644);
	sources_of(NULL, in_dir("app"), getuid());
	expect_line("a.py", 1, "in app");
	expect_line("./a.py", 1, "in app");
	expect_line("../b.py", 1, "above");
	assert_int_equal(quote("b.py", 1), -ENOENT);
}

/* A jail with links and dots that lead out of it, as seen from outside. */
static void make_jail(void)
{
	make_file("outside", "secret\n", 0644);
	assert_int_equal(mkdir(in_dir("jail"), 0755), 0);
	assert_int_equal(mkdir(in_dir("jail/app"), 0755), 0);
	make_file("jail/app/a.py", "inside\n", 0644);
	assert_int_equal(symlink(in_dir("outside"), in_dir("jail/app/absolute")), 0);
	assert_int_equal(symlink("../../outside", in_dir("jail/app/relative")), 0);
	assert_int_equal(symlink("/app/a.py", in_dir("jail/app/good")), 0);
}

static void absolute_paths_stay_in_the_root(void **state)
{
	(void)state;
	need_root();
	make_jail();
	sources_of(in_dir("jail"), "/app", 0);
	expect_line("/app/a.py", 1, "inside");
	expect_line("/app/good", 1, "inside");
	assert_int_equal(quote(in_dir("outside"), 1), -ENOENT);
	assert_int_equal(quote("/../outside", 1), -ENOENT);
	assert_int_equal(quote("/app/absolute", 1), -ENOENT);
	assert_int_equal(quote("/app/relative", 1), -ENOENT);
}

/* What the command itself could not reach by this path is not quoted. */
static void relative_paths_stay_in_the_root(void **state)
{
	(void)state;
	need_root();
	make_jail();
	sources_of(in_dir("jail"), "/app", 0);
	expect_line("a.py", 1, "inside");
	assert_int_equal(quote("../../outside", 1), -ENOENT);
	assert_int_equal(quote("relative", 1), -ENOENT);
	assert_int_equal(quote("absolute", 1), -ENOENT);
	expect_line("good", 1, "inside");
}

static void magic_links_are_not_followed(void **state)
{
	char path[64];
	int fd;

	(void)state;
	fd = open(make_file("a.py", "text\n", 0644), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	sources_of(NULL, "/", getuid());
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	assert_true(quote(path, 1) < 0);
	assert_true(quote(path + 1, 1) < 0);
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_without_their_indentation),
		TEST(long_lines_are_cut),
		TEST(nothing_is_known_before_the_command),
		TEST(only_regular_files),
		TEST(files_of_others_are_not_quoted),
		TEST(directories_of_others_are_closed),
		TEST(groups_of_cowtrace_do_not_count),
		TEST(relative_paths_begin_where_the_command_does),
		TEST(absolute_paths_stay_in_the_root),
		TEST(relative_paths_stay_in_the_root),
		TEST(magic_links_are_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
