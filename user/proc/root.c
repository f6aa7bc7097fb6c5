/* SPDX-License-Identifier: MIT */
#include "proc/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct root {
	int refs, fd;
};

int root__of(pid_t pid, struct root **out)
{
	struct root *root = calloc(1, sizeof(*root));
	char path[32];
	int err;

	if (!root)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	root->refs = 1;
	root->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root->fd < 0) {
		err = errno == ENOENT ? -ESRCH : -errno;
		free(root);
		return err;
	}
	*out = root;
	return 0;
}

struct root *root__ref(struct root *root)
{
	if (root)
		root->refs++;
	return root;
}

void root__unref(struct root *root)
{
	if (!root || --root->refs)
		return;
	close(root->fd);
	free(root);
}

bool root__same(const struct root *a, const struct root *b)
{
	struct stat x, y;

	return a && b && !fstat(a->fd, &x) && !fstat(b->fd, &y) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

int root__fd(const struct root *root)
{
	return root ? root->fd : -1;
}
