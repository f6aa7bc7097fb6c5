/* SPDX-License-Identifier: MIT */
/* data: the child rewrites 43 pages of .data and 47 pages of .bss that the parent had written. */
#include "target.h"

#define DATA_PAGES 43
#define BSS_PAGES  47

static volatile char data[DATA_PAGES * PAGE] __attribute__((aligned(PAGE))) = {1};
static volatile char bss[BSS_PAGES * PAGE] __attribute__((aligned(PAGE)));

static NOINLINE void data_write(char value)
{
	for (size_t i = 0; i < DATA_PAGES; i++)
		data[i * PAGE + 100] = value;
}

static NOINLINE void bss_write(char value)
{
	for (size_t i = 0; i < BSS_PAGES; i++)
		bss[i * PAGE + 100] = value;
}

int main(void)
{
	size_t *changed = target_shared(2 * sizeof(*changed));
	pid_t pid;

	/* Not in the functions that are counted: these are copies too, of pages of the program
	 * file. */
	for (size_t i = 0; i < DATA_PAGES; i++)
		data[i * PAGE + 100] = 3;
	for (size_t i = 0; i < BSS_PAGES; i++)
		bss[i * PAGE + 100] = 3;
	pid = target_fork();
	if (!pid) {
		uint64_t *before_data = target_frames(data, DATA_PAGES);
		uint64_t *before_bss = target_frames(bss, BSS_PAGES);

		data_write(2);
		bss_write(2);
		changed[0] = target_changed(before_data, data, DATA_PAGES);
		changed[1] = target_changed(before_bss, bss, BSS_PAGES);
		_exit(0);
	}
	target_wait(pid);
	printf("{\"data\": %d, \"bss\": %d, \"changed_data\": %zu, \"changed_bss\": %zu}\n",
	       DATA_PAGES, BSS_PAGES, changed[0], changed[1]);
	return target_end();
}
