/* SPDX-License-Identifier: MIT */
/* manyforks [CHILDREN [MS]]: many short-lived children, 3 shared pages written by each, 40 at a
 * time. */
#include "target.h"

#define PAGES_EACH 3
#define AT_ONCE	   40

static NOINLINE void manyforks_write(volatile char *pages)
{
	for (size_t i = 0; i < PAGES_EACH; i++)
		pages[i * PAGE] = 2;
}

int main(int argc, char **argv)
{
	size_t children = target_arg(argc, argv, 1, 2000), ms = target_arg(argc, argv, 2, 5);
	struct timespec life = {.tv_nsec = (long)ms * 1000000};
	char *pages = target_pages(PAGES_EACH);

	for (size_t i = 0; i < children; i++) {
		if (i >= AT_ONCE && wait(NULL) < 0)
			err(1, "wait");
		if (!target_fork()) {
			nanosleep(&life, NULL);
			manyforks_write(pages);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	printf("{\"copies\": %zu}\n", children * PAGES_EACH);
	return target_end();
}
