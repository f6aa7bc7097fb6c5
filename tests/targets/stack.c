/* SPDX-License-Identifier: MIT */
/* stack [thread]: 19 whole pages of a stack, touched before the fork, rewritten by the child. */
#include <pthread.h>

#include "target.h"

#define STACK_PAGES 19

static NOINLINE void stack_write(volatile char *pages, char value)
{
	for (size_t i = 0; i < STACK_PAGES; i++)
		pages[i * PAGE] = value;
}

static NOINLINE void *stack_run(void *arg)
{
	volatile char room[(STACK_PAGES + 1) * PAGE];
	volatile char *pages = (volatile char *)(((uintptr_t)room + PAGE - 1) & ~(PAGE - 1));
	size_t *changed = arg;
	pid_t pid;

	stack_write(pages, 1);
	pid = target_fork();
	if (!pid) {
		uint64_t *before = target_frames(pages, STACK_PAGES);

		stack_write(pages, 2);
		*changed = target_changed(before, pages, STACK_PAGES);
		_exit(0);
	}
	target_wait(pid);
	return NULL;
}

int main(int argc, char **argv)
{
	size_t *changed = target_shared(sizeof(*changed));
	pthread_t thread;

	if (argc > 1 && !strcmp(argv[1], "thread")) {
		if (pthread_create(&thread, NULL, stack_run, changed))
			errx(1, "pthread_create");
		pthread_join(thread, NULL);
	} else {
		stack_run(changed);
	}
	printf("{\"copies\": %d, \"changed\": %zu}\n", STACK_PAGES, *changed);
	return target_end();
}
