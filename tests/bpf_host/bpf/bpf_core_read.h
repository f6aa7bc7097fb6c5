/* SPDX-License-Identifier: MIT */
/* In the place of libbpf's header of this name: nothing is relocated in a test. */
#ifndef COWTRACE_TESTS_BPF_CORE_READ_H
#define COWTRACE_TESTS_BPF_CORE_READ_H

#include <stdbool.h>

#define BPF_CORE_READ(src, member) ((src)->member)

/* The shim keeps what is asked for at the start of its maps. */
#define bpf_core_field_offset(type, member) __builtin_offsetof(type, member)
#define bpf_core_type_size(type)	    sizeof(type)
#define bpf_core_enum_value(type, value)    ((uint64_t)(value))

#define bpf_core_type_size(type) sizeof(type)

/* Does the kernel that is being played have this member? The test says (shim.lacks). */
#define bpf_core_field_exists(member)		shim__has_field(#member)
#define bpf_core_enum_value_exists(type, value) shim__has_field(#value)

static bool shim__has_field(const char *member);

#endif
