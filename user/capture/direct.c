/* SPDX-License-Identifier: MIT */
#include "capture/direct.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cowtrace/direct.h>

#include "directmap.skel.h"

static bool memory_is_small(void)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 && (uint64_t)info.totalram * info.mem_unit < CT_DIRECT_MAX;
}

/* Words that nobody else has, one to a page. */
static int words__make(uint64_t *pages, size_t step, struct ct_direct *d)
{
	if (getrandom(d->want, sizeof(d->want), 0) != sizeof(d->want))
		return -EIO;
	for (size_t i = 0; i < CT_DIRECT_WORDS; i++) {
		uint64_t *at = pages + i * step + i;

		*(volatile uint64_t *)at = d->want[i]; /* now there is a page */
		d->at[i] = (uintptr_t)at;
	}
	return 0;
}

static int directmap__ask(struct directmap *skel)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t *pages = mmap(NULL, page * CT_DIRECT_WORDS, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (pages == MAP_FAILED)
		return -errno;
	err = words__make(pages, page / sizeof(*pages), &skel->bss->direct);
	if (!err)
		err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.find_base), &opts);
	munmap(pages, page * CT_DIRECT_WORDS);
	return err;
}

struct direct direct__look(void)
{
	struct direct found = {};
	libbpf_print_fn_t print;
	struct directmap *skel;

	if (!memory_is_small())
		return found;
	print = libbpf_set_print(NULL); /* there is another way */
	skel = directmap__open_and_load();
	if (skel && directmap__ask(skel) == 0) {
		found.base = skel->bss->direct.base;
		found.five_levels = skel->bss->direct.five_levels;
	}
	directmap__destroy(skel);
	libbpf_set_print(print);
	return found;
}
