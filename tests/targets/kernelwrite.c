/* SPDX-License-Identifier: MIT */
/* kernelwrite [PAGES]: the child lets the kernel write to shared pages: read(2) of /dev/zero. */
#include <sys/syscall.h>

#include "target.h"

/* Written out, so that the faulting instruction pointer lies in this function and not in libc. */
static NOINLINE long kernelwrite_read(long fd, char *buf, size_t size)
{
#ifdef __aarch64__
	register long number __asm__("x8") = SYS_read;
	register long r __asm__("x0") = fd;
	register char *to __asm__("x1") = buf;
	register size_t n __asm__("x2") = size;

	__asm__ volatile("svc #0" : "+r"(r) : "r"(number), "r"(to), "r"(n) : "memory");
#else
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"((long)SYS_read), "D"(fd), "S"(buf), "d"(size)
			 : "rcx", "r11", "memory");
#endif
	return r;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 31);
	size_t *changed = target_shared(sizeof(*changed));
	char *pages = target_pages(n);
	int fd = open("/dev/zero", O_RDONLY);
	pid_t pid;

	if (fd < 0)
		err(1, "/dev/zero");
	pid = target_fork();
	if (!pid) {
		uint64_t *before = target_frames(pages, n);

		if (kernelwrite_read(fd, pages, n * PAGE) != (long)(n * PAGE))
			errx(1, "short read");
		*changed = target_changed(before, pages, n);
		_exit(0);
	}
	target_wait(pid);
	printf("{\"copies\": %zu, \"changed\": %zu}\n", n, *changed);
	return target_end();
}
