/* SPDX-License-Identifier: MIT */
#include "capture/adopt.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <unistd.h>

#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cowtrace.skel.h"

/* Two are enough, but for threads without memory and parents that end in between. */
#define MAX_PASSES 100

struct pass {
	size_t adopted, failed;
};

static int pass__make(struct cowtrace *skel, struct pass *pass)
{
	_close_ int fd = bpf_iter_create(bpf_link__fd(skel->links.adopt_each));
	struct ct_adopted thread;
	ssize_t n;

	*pass = (struct pass){};
	if (fd < 0)
		return -errno;
	while ((n = read(fd, &thread, sizeof(thread))) == sizeof(thread)) {
		pass->adopted += !thread.failed;
		pass->failed += thread.failed;
	}
	return n < 0 ? -errno : 0;
}

static int adopt__want(struct cowtrace *skel, const pid_t *pids, size_t n)
{
	__u8 yes = 1;

	for (size_t i = 0; i < n; i++) {
		__u32 pid = pids[i];

		if (bpf_map_update_elem(bpf_map__fd(skel->maps.wanted), &pid, &yes, BPF_ANY))
			return -errno;
	}
	return 0;
}

int adopt__all(struct cowtrace *skel, const pid_t *pids, size_t n)
{
	struct pass pass;
	int err;

	/* The one before this may have failed half-way: then this one finishes it. */
	skel->bss->adoption = skel->bss->counting + 1;
	skel->bss->adopting = true; /* before any is wanted: else it could have children untold */
	err = adopt__want(skel, pids, n);
	for (unsigned int i = 1; !err && i <= MAX_PASSES; i++) {
		__u32 orphans = skel->bss->orphans;

		err = pass__make(skel, &pass);
		if (err)
			break;
		log_debug("pass %u: %zu threads adopted, %zu to be tried again", i, pass.adopted,
			  pass.failed);
		if (!pass.adopted && !pass.failed && orphans == skel->bss->orphans)
			return 0;
	}
	if (err)
		return err;
	return pass.failed ? -ENOMEM : -EAGAIN;
}

/* Whoever gets the number of one of these processes later is another. */
static void adopt__forget_wanted(struct cowtrace *skel)
{
	int fd = bpf_map__fd(skel->maps.wanted);
	__u32 pid;

	while (!bpf_map_get_next_key(fd, NULL, &pid))
		if (bpf_map_delete_elem(fd, &pid))
			return;
}

void adopt__end(struct cowtrace *skel)
{
	skel->bss->counting = skel->bss->adoption;
	skel->bss->adopting = false;
	adopt__forget_wanted(skel);
}
