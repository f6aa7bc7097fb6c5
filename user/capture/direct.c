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

static bool directmap__try(struct directmap *skel, uint64_t base, bool five_levels)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct ct_direct *d = &skel->bss->direct;

	d->base = base;
	d->five_levels = five_levels;
	return !bpf_prog_test_run_opts(bpf_program__fd(skel->progs.try_base), &opts) && d->found;
}

/* The page table of this process lies in the map, at most CT_DIRECT_MAX behind its beginning. */
static bool directmap__find(struct directmap *skel, bool five_levels, struct direct *found)
{
	uint64_t base = skel->bss->direct.table & ~(CT_DIRECT_STEP - 1);

	for (uint64_t i = 0; i < CT_DIRECT_MAX / CT_DIRECT_STEP; i++, base -= CT_DIRECT_STEP) {
		if (!directmap__try(skel, base, five_levels))
			continue;
		*found = (struct direct){.base = base, .five_levels = five_levels};
		return true;
	}
	return false;
}

static void directmap__ask(struct directmap *skel, struct direct *found)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t *pages = mmap(NULL, page * CT_DIRECT_WORDS, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return;
	if (words__make(pages, page / sizeof(*pages), &skel->bss->direct) == 0) {
		directmap__try(skel, 0, false); /* says where the table is */
		if (!directmap__find(skel, false, found))
			directmap__find(skel, true, found);
	}
	munmap(pages, page * CT_DIRECT_WORDS);
}

struct direct direct__look(uint32_t mm, uint32_t pgd)
{
	struct direct found = {};
	libbpf_print_fn_t print;
	struct directmap *skel;

	if (!memory_is_small())
		return found;
	print = libbpf_set_print(NULL); /* there is another way */
	skel = directmap__open_and_load();
	if (skel) {
		skel->bss->direct.mm = mm;
		skel->bss->direct.pgd = pgd;
		directmap__ask(skel, &found);
	}
	directmap__destroy(skel);
	libbpf_set_print(print);
	return found;
}
