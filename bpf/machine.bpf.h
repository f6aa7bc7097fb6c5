/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COWTRACE_BPF_MACHINE_H
#define COWTRACE_BPF_MACHINE_H

#if defined(__TARGET_ARCH_arm64)
#include "arm64.bpf.h"
#else
#include "x86.bpf.h"
#endif

#endif
