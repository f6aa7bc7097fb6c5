/* SPDX-License-Identifier: MIT */
/*
 * bpfids [FILE]: how many BPF programs, maps, links and BTFs the kernel holds, one line. With FILE,
 * which has such a line: waits until there are no more than those, ten seconds at most (the kernel
 * frees them late), and fails if there are.
 */
#include <err.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KINDS 4
#define TICKS 100

static const char *const names[KINDS] = {"programs", "maps", "links", "btfs"};

static unsigned int count(int command)
{
	unsigned int id = 0, n = 0;

	for (;;) {
		union bpf_attr attr = {.start_id = id};

		if (syscall(SYS_bpf, command, &attr, sizeof(attr)))
			return n;
		id = attr.next_id;
		n++;
	}
}

static void count_all(unsigned int *n)
{
	static const int commands[KINDS] = {BPF_PROG_GET_NEXT_ID, BPF_MAP_GET_NEXT_ID,
					    BPF_LINK_GET_NEXT_ID, BPF_BTF_GET_NEXT_ID};

	for (int i = 0; i < KINDS; i++)
		n[i] = count(commands[i]);
}

static void read_line(const char *path, unsigned int *n)
{
	FILE *file = fopen(path, "re");

	if (!file || fscanf(file, "programs %u maps %u links %u btfs %u", &n[0], &n[1], &n[2],
			    &n[3]) != KINDS)
		errx(2, "%s: no line of bpfids", path);
	fclose(file);
}

static int more(const unsigned int *now, const unsigned int *before)
{
	for (int i = 0; i < KINDS; i++)
		if (now[i] > before[i])
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct timespec tick = {.tv_nsec = 100000000};
	unsigned int now[KINDS], before[KINDS];
	int leaked = 0;

	count_all(now);
	if (argc > 1) {
		read_line(argv[1], before);
		for (int i = 0; (leaked = more(now, before)) && i < TICKS; i++) {
			nanosleep(&tick, NULL);
			count_all(now);
		}
	}
	for (int i = 0; i < KINDS; i++)
		printf("%s %u%c", names[i], now[i], i == KINDS - 1 ? '\n' : ' ');
	return leaked;
}
