/* SPDX-License-Identifier: MIT */
/* storm [PAGES [ROUNDS]]: in each round a child writes one byte to every shared page, as fast as it
 * can. */
#include "target.h"

static NOINLINE void storm_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 10007), rounds = target_arg(argc, argv, 2, 1);
	struct {
		uint64_t ns, changed;
	} *out = target_shared((rounds + 1) * sizeof(*out));
	char *pages = target_pages(n);
	size_t changed = 0;

	for (size_t r = 0; r < rounds; r++) {
		pid_t pid = target_fork();

		if (!pid) {
			uint64_t *before = target_frames(pages, n), start = target_now();

			storm_write(pages, n);
			out[r].ns = target_now() - start;
			out[r].changed = target_changed(before, pages, n);
			_exit(0);
		}
		target_wait(pid);
		changed += out[r].changed;
	}
	printf("{\"copies\": %zu, \"changed\": %zu, \"ns_per_copy\": [", n * rounds, changed);
	for (size_t r = 0; r < rounds; r++)
		printf("%s%.1f", r ? ", " : "", n ? (double)out[r].ns / (double)n : 0);
	printf("]}\n");
	return target_end();
}
