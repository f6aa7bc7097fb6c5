/* SPDX-License-Identifier: MIT */
/* race [PAGES]: two threads of the child write every shared page at the same moment: one copy a
 * page. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "target.h"

static volatile char *pages;
static size_t n;
static _Atomic size_t *turn; /* two counters, in shared memory */

static NOINLINE void *race_write(void *arg)
{
	size_t me = (size_t)arg;

	for (size_t i = 0; i < n; i++) {
		atomic_store(&turn[me], i + 1);
		for (int spins = 0; atomic_load(&turn[!me]) < i + 1; spins++)
			if (spins > 1000)
				sched_yield();
		pages[i * PAGE + me] = 2;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	size_t *changed = target_shared(sizeof(*changed));
	pid_t pid;

	n = target_arg(argc, argv, 1, 4999);
	pages = target_pages(n);
	turn = target_shared(2 * sizeof(*turn));
	pid = target_fork();
	if (!pid) {
		uint64_t *before = target_frames(pages, n);
		pthread_t other;

		if (pthread_create(&other, NULL, race_write, (void *)1))
			errx(1, "pthread_create");
		race_write((void *)0);
		pthread_join(other, NULL);
		*changed = target_changed(before, pages, n);
		_exit(0);
	}
	target_wait(pid);
	printf("{\"copies\": %zu, \"changed\": %zu}\n", n, *changed);
	return target_end();
}
