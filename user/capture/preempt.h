/* SPDX-License-Identifier: MIT */
/* Whether this kernel preempts what runs in it, BPF programs too. */
#ifndef COWTRACE_CAPTURE_PREEMPT_H
#define COWTRACE_CAPTURE_PREEMPT_H

#include <stdbool.h>

/*
 * A program that is preempted is skipped for all other threads of that CPU until it goes on: what
 * they do meanwhile is missed. False if it can not be found out.
 */
bool kernel__preempts(void);

#endif
