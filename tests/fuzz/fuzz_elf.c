// SPDX-License-Identifier: MIT
// link: user/elf/elf.c user/elf/symbols.c -lelf
/* Any bytes as an ELF file: every question that the daemon asks gets an answer or an error. */
#include "elf/elf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct elf_file *elf)
{
	const struct elf_segment *seg;
	struct elf_symbol symbol;
	uint64_t a, b;
	char buf[256];

	elf__symbol(elf, "_PyRuntime", &symbol);
	elf__section(elf, ".PyRuntime", &a, &b);
	for (size_t i = 0, n = elf__segments(elf, &seg); i < n; i++) {
		elf__bias(elf, 0x7f0000000000, seg[i].offset & ~4095ull, &a);
		elf__read(elf, seg[i].vaddr, buf, sizeof(buf));
		elf__read(elf, seg[i].vaddr + seg[i].filesz - 1, buf, 1);
		if (elf__function_at(elf, seg[i].vaddr + seg[i].memsz / 2, &symbol))
			continue;
		if (strlen(symbol.name) == 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct elf_file *elf;
	char path[40];

	if (fd < 0)
		fd = memfd_create("elf", MFD_CLOEXEC);
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (elf__open(path, &elf))
		return 0;
	ask(elf);
	elf__free(elf);
	return 0;
}
