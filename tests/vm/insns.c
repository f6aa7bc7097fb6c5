/* SPDX-License-Identifier: MIT */
/*
 * insns: the BPF programs that the kernel holds, one line of JSON each: how many instructions the
 * verifier went through (since 5.16, aba64c7da983; else 0), and how many there are.
 */
#include <err.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static void say(unsigned int id)
{
	struct bpf_prog_info info = {};
	union bpf_attr attr = {.prog_id = id};
	int fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);

	if (fd < 0)
		err(1, "program %u", id);
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (unsigned int)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
		err(1, "program %u", id);
	printf("{\"program\": \"%s\", \"verified\": %u, \"length\": %u}\n", info.name,
	       info.verified_insns, info.xlated_prog_len / 8);
	close(fd);
}

int main(void)
{
	unsigned int id = 0;

	for (;;) {
		union bpf_attr attr = {.start_id = id};

		if (bpf(BPF_PROG_GET_NEXT_ID, &attr)) {
			if (errno != ENOENT)
				err(1, "BPF_PROG_GET_NEXT_ID");
			return 0;
		}
		id = attr.next_id;
		say(id);
	}
}
