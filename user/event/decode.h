/* SPDX-License-Identifier: MIT */
/* Raw ring buffer bytes to a record that can be believed to be whole: size, tag, and every number
 * that is used as an index. The kernel side is ours, but a torn or foreign record must not bring us
 * down. */
#ifndef COWTRACE_EVENT_DECODE_H
#define COWTRACE_EVENT_DECODE_H

#include <stddef.h>

#include <cowtrace/abi.h>

union event {
	__u32 tag;
	struct ct_copy copy;
	struct ct_fixup fixup;
	struct ct_stack stack;
	struct ct_fork fork;
	struct ct_exec exec;
	struct ct_exit exit;
	struct ct_adopt adopt;
	struct ct_memory memory;
};

/* 0 and *out points into data, or -EINVAL. */
int event__decode(const void *data, size_t size, const union event **out);

#endif
