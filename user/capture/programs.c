/* SPDX-License-Identifier: MIT */
#include "capture/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>

#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

#include "capture/kretprobe.h"
#include "cowtrace.skel.h"
#include "direct.skel.h"
#include "legacy.skel.h"

static bool kernel_is_old(void)
{
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, NULL) == 0 ||
	       libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_task_pt_regs, NULL) == 0;
}

/*
 * The skeleton finds maps and programs by their names, and all builds have the same; their
 * variables lie at the same places, which the Makefile checks. So only the bytes differ.
 */
struct cowtrace *programs__open(bool direct)
{
	struct cowtrace *skel;
	int err;

	if (!direct && !kernel_is_old())
		return cowtrace__open();
	skel = calloc(1, sizeof(*skel));
	err = skel ? cowtrace__create_skeleton(skel) : -ENOMEM;
	if (!err) {
		struct bpf_object_skeleton *s = skel->skeleton;

		s->data = (void *)(direct ? direct__elf_bytes(&s->data_sz)
					  : legacy__elf_bytes(&s->data_sz));
		err = bpf_object__open_skeleton(s, NULL);
	}
	if (!err)
		return skel;
	cowtrace__destroy(skel);
	errno = -err;
	return NULL;
}

void programs__close(struct cowtrace *skel)
{
	if (!skel)
		return;
	cowtrace__destroy(skel);
	kretprobe__remove(); /* now that no link holds them */
}

struct bpf_link **programs__link(const struct cowtrace *skel, const struct bpf_program *program)
{
	const struct bpf_object_skeleton *s = skel->skeleton;

	for (int i = 0; i < s->prog_cnt; i++)
		if (*s->progs[i].prog == program)
			return s->progs[i].link;
	return NULL;
}
