/* SPDX-License-Identifier: MIT */
/*
 * uffdwp [PAGES [shared]]: writes to pages that userfaultfd protects, which a thread lifts one by
 * one. That copies nothing; unless a child shares the page: then it is copied, once.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "target.h"

static int uffd;

static NOINLINE void uffdwp_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

static void protect(uint64_t start, uint64_t size, uint64_t mode)
{
	struct uffdio_writeprotect wp = {.range = {start, size}, .mode = mode};

	if (ioctl(uffd, UFFDIO_WRITEPROTECT, &wp))
		err(1, "UFFDIO_WRITEPROTECT");
}

static void *lift(void *faults)
{
	struct uffd_msg msg;

	while (read(uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		++*(volatile size_t *)faults;
		protect(msg.arg.pagefault.address & ~(PAGE - 1), PAGE, 0);
	}
	return NULL;
}

static void watch(char *pages, size_t n)
{
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};
	struct uffdio_register reg = {.range = {(uintptr_t)pages, n * PAGE},
				      .mode = UFFDIO_REGISTER_MODE_WP};

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg))
		target_skip("no write protection by userfaultfd");
	protect((uintptr_t)pages, n * PAGE, UFFDIO_WRITEPROTECT_MODE_WP);
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 47);
	int shared = argc > 2 && !strcmp(argv[2], "shared"), gate[2];
	size_t *faults = target_shared(sizeof(*faults)), changed;
	char *pages = target_pages(n), go;
	uint64_t *before;
	pthread_t thread;
	pid_t pid = 0;

	watch(pages, n);
	if (pthread_create(&thread, NULL, lift, faults) || pipe(gate))
		err(1, "pthread_create");
	if (shared && !(pid = target_fork()))
		_exit(read(gate[0], &go, 1) != 1); /* shares them until it is told to go */
	before = target_frames(pages, n);
	uffdwp_write(pages, n);
	changed = target_changed(before, pages, n);
	if (shared && write(gate[1], "", 1) == 1)
		target_wait(pid);
	printf("{\"copies\": %zu, \"changed\": %zu, \"faults\": %zu}\n", shared ? n : 0, changed,
	       *faults);
	return target_end();
}
