/* SPDX-License-Identifier: MIT */
/* In the place of libbpf's header of this name: nothing is relocated in a test. */
#ifndef COWTRACE_TESTS_BPF_CORE_READ_H
#define COWTRACE_TESTS_BPF_CORE_READ_H

#include <stdbool.h>

/* One member, or one of what a member points to: 0 if that points nowhere, as in the kernel. */
#define CORE_READ_1(src, member) ((src)->member)
#define CORE_READ_2(src, member, of)                                                               \
	((src)->member ? (src)->member->of : (__typeof__((src)->member->of))0)
#define CORE_READ_N(one, two, name, ...) name
#define BPF_CORE_READ(src, ...)                                                                    \
	CORE_READ_N(__VA_ARGS__, CORE_READ_2, CORE_READ_1, )(src, __VA_ARGS__)

/* The shim keeps what is asked for at the start of its maps. */
#define bpf_core_field_offset(type, member) __builtin_offsetof(type, member)
#define bpf_core_type_size(type)	    sizeof(type)
#define bpf_core_enum_value(type, value)    ((uint64_t)(value))

/* Tells them apart: see bpf_rdonly_cast. */
#define bpf_core_type_id_kernel(type) sizeof(type)

/* Does the kernel that is being played have this member? The test says (shim.lacks). */
#define bpf_core_field_exists(member)		shim__has_field(#member)
#define bpf_core_enum_value_exists(type, value) shim__has_field(#value)

static bool shim__has_field(const char *member);

#endif
