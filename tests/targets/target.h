/* SPDX-License-Identifier: MIT */
/*
 * What the C workloads share. Each prints one line of JSON with its own ground truth: how many of
 * its pages are another page frame after the writes (/proc/self/pagemap, needs root), so that a
 * test can tell a wrong workload from a wrong count.
 */
#ifndef COWTRACE_TARGET_H
#define COWTRACE_TARGET_H

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#ifdef __clang__ /* makes no clones under other names */
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif

/* n anonymous pages, each touched, none of them huge. */
static inline char *target_pages(size_t n)
{
	char *pages;

	if (!n)
		n = 1;
	pages = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		err(1, "mmap of %zu pages", n);
	if (madvise(pages, n * PAGE, MADV_NOHUGEPAGE) < 0)
		err(1, "madvise");
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 1;
	return pages;
}

/* Memory that a child and its parent share for good: results travel through it. */
static inline void *target_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap of %zu shared bytes", size);
	memset(p, 0, size);
	return p;
}

/* Reads the page frame numbers of n pages at addr; allocates (shared, so that it is no copy
 * itself). */
static inline uint64_t *target_frames(const volatile void *addr, size_t n)
{
	uint64_t *frames = target_shared((n + 1) * sizeof(*frames));
	int fd = open("/proc/self/pagemap", O_RDONLY);
	size_t done = 0;

	if (fd < 0)
		err(1, "/proc/self/pagemap");
	while (done < n * 8) {
		ssize_t r = pread(fd, (char *)frames + done, n * 8 - done,
				  (off_t)((uintptr_t)addr / PAGE * 8 + done));

		if (r <= 0)
			err(1, "read of /proc/self/pagemap");
		done += (size_t)r;
	}
	close(fd);
	for (size_t i = 0; i < n; i++)
		frames[i] &= (1ULL << 55) - 1;
	return frames;
}

/* How many of n pages at addr are other frames than before. Releases before. */
static inline size_t target_changed(uint64_t *before, const volatile void *addr, size_t n)
{
	uint64_t *now = target_frames(addr, n);
	size_t changed = 0;

	for (size_t i = 0; i < n; i++)
		changed += now[i] != before[i];
	munmap(before, (n + 1) * sizeof(*before));
	munmap(now, (n + 1) * sizeof(*now));
	return changed;
}

/* This machine has not what the target is about: the tests skip it with this reason. */
__attribute__((noreturn)) static inline void target_skip(const char *reason)
{
	printf("{\"skip\": \"%s\"}\n", reason);
	exit(0);
}

/* Writes to a file of /proc/sys or /sys; old gets what it held. False: there is none. */
static inline int target_set(const char *path, const char *value, char old[64])
{
	int fd = open(path, O_RDWR);
	ssize_t n = fd < 0 ? -1 : read(fd, old, 63);

	if (n >= 0)
		old[n] = '\0';
	if (n >= 0 && pwrite(fd, value, strlen(value), 0) < 0)
		n = -1;
	if (fd >= 0)
		close(fd);
	return n >= 0;
}

static inline pid_t target_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	return pid;
}

static inline void target_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		errx(1, "child %d ended with status %#x", (int)pid, status);
}

static inline uint64_t target_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline void target_sleep(long ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/*
 * The last thing a target does. cowtrace reads names from the memory and the files of the living: a
 * process that is gone at once keeps its counts but may lose its names. LINGER_MS=0: do not wait.
 */
static inline int target_end(void)
{
	const char *ms = getenv("LINGER_MS");

	fflush(stdout);
	target_sleep(ms ? atol(ms) : 100);
	return 0;
}

static inline size_t target_arg(int argc, char **argv, int i, size_t def)
{
	char *end;
	unsigned long n;

	if (i >= argc)
		return def;
	n = strtoul(argv[i], &end, 10);
	if (!*argv[i] || *end)
		errx(2, "not a number: %s", argv[i]);
	return n;
}

#endif
