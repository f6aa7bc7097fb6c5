/* SPDX-License-Identifier: MIT */
/*
 * Addresses of programs have at most so many bits: 48 on arm64, 47 on x86-64, with four levels of
 * page tables. One number for both, because a capture can be read on another machine.
 */
#ifndef COWTRACE_BASE_ADDRESS_H
#define COWTRACE_BASE_ADDRESS_H

#define ADDRESS_BITS 48

#endif
