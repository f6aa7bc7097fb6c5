/* SPDX-License-Identifier: MIT */
/* ksm [PAGES]: pages of equal contents that the kernel has merged, and that are then written. */
#include "target.h"

#define RUN   "/sys/kernel/mm/ksm/run"
#define PACE  "/sys/kernel/mm/ksm/sleep_millisecs"
#define BATCH "/sys/kernel/mm/ksm/pages_to_scan"

static NOINLINE void ksm_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

/* All of them are one frame. */
static int merged(char *pages, size_t n)
{
	uint64_t *frames = target_frames(pages, n);
	size_t same = 0;

	for (size_t i = 0; i < n; i++)
		same += frames[i] == frames[0];
	munmap(frames, (n + 1) * sizeof(*frames));
	return same == n;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 41), changed;
	char *pages = target_pages(n), run[64], pace[64], batch[64], now[64];
	uint64_t *before;
	int done = 0;

	memset(pages, 0x5a, n * PAGE);
	if (!target_set(RUN, "1", run) || !target_set(PACE, "5", pace) ||
	    !target_set(BATCH, "4000", batch) || madvise(pages, n * PAGE, MADV_MERGEABLE))
		target_skip("no KSM");
	for (int i = 0; i < 2000 && !(done = merged(pages, n)); i++)
		target_sleep(10);
	target_set(RUN, "0", now);
	before = target_frames(pages, n);
	ksm_write(pages, n);
	changed = target_changed(before, pages, n);
	target_set(PACE, pace, now);
	target_set(BATCH, batch, now);
	target_set(RUN, run, now);
	if (!done)
		target_skip("KSM did not merge in 20 s");
	printf("{\"copies\": %zu, \"changed\": %zu}\n", n, changed);
	return target_end();
}
