/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "elf/elf.h"
#include "elf_image.h"
#include <fcntl.h>

static int root_fd(pid_t pid)
{
	static int self = -1; /* opened once: one test counts descriptors */
	char path[32];

	if (pid == getpid() && self >= 0)
		return self;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	if (pid == getpid())
		return self = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static char dir[64];
static struct image image;
static struct elf_cache *cache;

static const char *in_dir(const char *name)
{
	static char path[2][128];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void one_object_for_each_file(void **state)
{
	struct elf_file *a, *b, *other;
	struct elf_symbol symbol;

	(void)state;
	image__write(&image, sizeof(image), in_dir("a"));
	image__write(&image, sizeof(image), in_dir("other"));
	assert_int_equal(link(in_dir("a"), in_dir("b")), 0);
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir("a"), 0, &a), 0);
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir("b"), 0, &b), 0);
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir("other"), 0, &other), 0);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, other);
	assert_int_equal(elf__symbol(a, "second", &symbol), 0);
	assert_int_equal(symbol.vaddr, IMAGE_TEXT_VADDR + 0x40);
}

static void a_file_that_changed_is_read_again(void **state)
{
	const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	struct elf_symbol symbol;
	struct elf_file *elf;

	(void)state;
	image__write("no elf", 6, in_dir("a"));
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir("a"), 0, &elf), -EINVAL);
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir("a"), 0, &elf), -EINVAL);
	image__write(&image, sizeof(image), in_dir("a"));
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir("a"), 0, &elf), 0);
	assert_int_equal(elf__symbol(elf, "first", &symbol), 0);
	image.strtab[1] = 'F';
	image__write(&image, sizeof(image), in_dir("a"));
	assert_int_equal(utimensat(AT_FDCWD, in_dir("a"), times, 0), 0);
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir("a"), 0, &elf), 0);
	assert_int_equal(elf__symbol(elf, "first", &symbol), -ENOENT);
	assert_int_equal(elf__symbol(elf, "First", &symbol), 0);
}

static void what_can_not_be_opened(void **state)
{
	struct elf_file *elf = (void *)1;

	(void)state;
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir("none"), 0, &elf),
			 -ENOENT);
	assert_int_equal(
		elf_cache__get(cache, root_fd(getpid()), in_dir("a/below-a-file"), 0, &elf),
		-ENOENT);
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), "", 0, &elf), -ENOENT);
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), "[heap]", 0, &elf), -ENOENT);
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), "a", 0, &elf), -ENOENT);
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), dir, 0, &elf), -EINVAL);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir("fifo"), 0, &elf),
			 -EINVAL);
	assert_int_equal(elf_cache__get(cache, root_fd(0), in_dir("other"), 0, &elf), -ENOENT);
	assert_ptr_equal(elf, (void *)1);
}

/* A child whose root is our directory; 0 if this machine does not let us make one. */
static pid_t rooted_child(void)
{
	int ready[2];
	char ok = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (geteuid())
			unshare(CLONE_NEWUSER);
		ok = chroot(dir) == 0;
		if (write(ready[1], &ok, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &ok, 1), 1);
	close(ready[0]);
	if (!ok) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return 0;
	}
	return pid;
}

/* Absolute links lead to files of the process, never to ours; nor does "..". */
static void paths_are_those_of_the_process(void **state)
{
	struct elf_file *elf, *linked, *up;
	struct elf_symbol symbol;
	pid_t pid;

	(void)state;
	image__write("no elf", 6, in_dir("inner"));
	image__write(&image, sizeof(image), in_dir("lib.so"));
	assert_int_equal(symlink("/lib.so", in_dir("link")), 0);
	assert_int_equal(symlink("/etc/passwd", in_dir("trap")), 0);
	pid = rooted_child();
	if (!pid)
		skip();
	assert_int_equal(elf_cache__get(cache, root_fd(pid), "/lib.so", 0, &elf), 0);
	assert_int_equal(elf_cache__get(cache, root_fd(pid), "/link", 0, &linked), 0);
	assert_int_equal(elf_cache__get(cache, root_fd(pid), "/../../lib.so", 0, &up), 0);
	assert_ptr_equal(elf, linked);
	assert_ptr_equal(elf, up);
	assert_int_equal(elf__symbol(elf, "second", &symbol), 0);
	assert_int_equal(elf_cache__get(cache, root_fd(pid), "/inner", 0, &elf), -EINVAL);
	assert_int_equal(elf_cache__get(cache, root_fd(pid), "/trap", 0, &elf), -ENOENT);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(elf_cache__get(cache, root_fd(pid), "/lib.so", 0, &elf), -ENOENT);
}

/* Maps a file of ours as a program is, and finds the line that maps has for it. */
static struct elf_mapping map_file(const char *name, char path[256])
{
	int fd = open(in_dir(name), O_RDONLY | O_CLOEXEC);
	char *at = mmap(NULL, sizeof(image), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	struct elf_mapping m = {.pid = getpid(), .start = (uint64_t)at, .path = path};
	struct stat st;

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	m.end = m.start + ((sizeof(image) + 4095) & ~4095ul);
	m.inode = st.st_ino;
	snprintf(path, 256, "%s", in_dir(name));
	return m;
}

/* 0 if this machine shows such links only to others. */
static bool may_follow_mappings(const struct elf_mapping *m)
{
	char link[80];
	int fd;

	snprintf(link, sizeof(link), "/proc/self/map_files/%lx-%lx", m->start, m->end);
	fd = open(link, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		assert_int_equal(errno, EPERM);
		return false;
	}
	close(fd);
	return true;
}

static bool has_first(uint64_t file, const struct elf_mapping *m)
{
	struct elf_symbol symbol;
	struct elf_file *elf;

	assert_int_not_equal(file, 0);
	assert_int_equal(elf_cache__mapped(cache, file, root_fd(getpid()), m->path, m->inode, &elf),
			 0);
	return !elf__symbol(elf, "first", &symbol);
}

/* As a package upgrade does it, while the old program runs; the maps were read before that. */
static void a_sighted_file_may_be_replaced(void **state)
{
	struct elf_mapping m;
	struct elf_file *elf;
	char path[256];
	uint64_t file;

	(void)state;
	image__init_symbols(&image);
	image__write(&image, sizeof(image), in_dir("old"));
	m = map_file("old", path);
	file = elf_cache__sight(cache, root_fd(getpid()), &m);
	image.strtab[1] = 'F';
	image__write(&image, sizeof(image), in_dir("new"));
	image__init_symbols(&image);
	assert_int_equal(rename(in_dir("new"), in_dir("old")), 0);
	assert_true(has_first(file, &m));
	/* What bears its name now is not what is mapped. */
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), path, m.inode, &elf), -ENOENT);
	assert_int_equal(elf_cache__mapped(cache, 0, root_fd(getpid()), path, m.inode, &elf),
			 -ENOENT);
	assert_int_equal(munmap((void *)m.start, m.end - m.start), 0);
}

static void a_deleted_file_is_found_by_its_mapping(void **state)
{
	struct elf_mapping m;
	char path[256];

	(void)state;
	image__write(&image, sizeof(image), in_dir("new\nline"));
	m = map_file("new\nline", path);
	if (!may_follow_mappings(&m))
		skip();
	assert_int_equal(unlink(in_dir("new\nline")), 0);
	snprintf(path, sizeof(path), "%s", in_dir("new\\012line (deleted)"));
	assert_true(has_first(elf_cache__sight(cache, root_fd(getpid()), &m), &m));
	/* The maps were read when something else was mapped there. */
	snprintf(path, sizeof(path), "%s", in_dir("other (deleted)"));
	assert_int_equal(elf_cache__sight(cache, root_fd(getpid()), &m), 0);
	assert_int_equal(munmap((void *)m.start, m.end - m.start), 0);
	snprintf(path, sizeof(path), "%s", in_dir("new\\012line (deleted)"));
	assert_int_equal(elf_cache__sight(cache, root_fd(getpid()), &m), 0);
}

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void the_cache_is_bounded(void **state)
{
	size_t before = open_files();
	struct elf_file *elf, *kept, *again;
	char name[16];

	(void)state;
	image__write(&image, sizeof(image), in_dir("kept"));
	assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir("kept"), 0, &kept), 0);
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "%d", i);
		image__write(&image, sizeof(image), in_dir(name));
		assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir(name), 0, &elf),
				 0);
		unlink(in_dir(name));
		assert_int_equal(
			elf_cache__get(cache, root_fd(getpid()), in_dir("kept"), 0, &again), 0);
		assert_ptr_equal(again, kept); /* what is in use stays */
	}
	assert_in_range(open_files() - before, 1, 512);
}

static void a_number_outlives_its_file(void **state)
{
	struct elf_mapping m;
	struct elf_file *elf;
	char path[256], name[16];
	uint64_t file;

	(void)state;
	image__write(&image, sizeof(image), in_dir("old"));
	m = map_file("old", path);
	file = elf_cache__sight(cache, root_fd(getpid()), &m);
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "%d", i);
		image__write(&image, sizeof(image), in_dir(name));
		assert_int_equal(elf_cache__get(cache, root_fd(getpid()), in_dir(name), 0, &elf),
				 0);
		unlink(in_dir(name));
	}
	assert_true(has_first(file, &m)); /* by its path */
	assert_int_not_equal(elf_cache__sight(cache, root_fd(getpid()), &m), file);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(munmap((void *)m.start, m.end - m.start), 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_elf_cache.XXXXXX");
	image__init_symbols(&image);
	return mkdtemp(dir) && !chmod(dir, 0755) ? elf_cache__new(&cache) : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = {"a",    "b",      "other", "fifo", "inner",
					    "link", "lib.so", "trap",  "kept"};

	(void)state;
	elf_cache__free(cache);
	elf_cache__free(NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_object_for_each_file),
		cmocka_unit_test(a_file_that_changed_is_read_again),
		cmocka_unit_test(what_can_not_be_opened),
		cmocka_unit_test(paths_are_those_of_the_process),
		cmocka_unit_test(a_sighted_file_may_be_replaced),
		cmocka_unit_test(a_deleted_file_is_found_by_its_mapping),
		cmocka_unit_test(the_cache_is_bounded),
		cmocka_unit_test(a_number_outlives_its_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
