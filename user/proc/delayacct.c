/* SPDX-License-Identifier: MIT */
#include "proc/delayacct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SYSCTL "/proc/sys/kernel/task_delayacct"
/* Locked, shared, by everyone who needs it on. Holds "1" if it was off before the first of them. */
#define LOCK_FILE "/run/cowtrace.delayacct"

int delayacct__get(void)
{
	_close_ int fd = open(SYSCTL, O_RDONLY | O_CLOEXEC);
	char c;

	if (fd < 0 || read(fd, &c, 1) != 1)
		return -ENOENT;
	return c == '1';
}

static int set(bool on)
{
	_close_ int fd = open(SYSCTL, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, on ? "1\n" : "0\n", 2) == 2 ? 0 : -errno;
}

static int switch_on(int lock)
{
	int was = delayacct__get();

	if (was != 0)
		return was < 0 ? was : 0;
	if (pwrite(lock, "1", 1, 0) != 1)
		return -errno;
	return set(true);
}

int delayacct__hold(void)
{
	int lock = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err;

	if (lock < 0)
		return -errno;
	err = flock(lock, LOCK_SH) ? -errno : switch_on(lock);
	if (err) {
		close(lock);
		return err;
	}
	return lock;
}

void delayacct__release(int lock)
{
	char was_off;

	/* Fails while another one holds it, which will then put it back. */
	if (flock(lock, LOCK_EX | LOCK_NB) == 0 && pread(lock, &was_off, 1, 0) == 1 &&
	    was_off == '1' && set(false) == 0 && ftruncate(lock, 0) == 0)
		was_off = '0';
	close(lock);
}
