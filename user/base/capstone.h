/* SPDX-License-Identifier: MIT */
#ifndef COWTRACE_BASE_CAPSTONE_H
#define COWTRACE_BASE_CAPSTONE_H

/* Loads capstone, of which <capstone/capstone.h> says what there is to call. NULL, or why not. */
const char *capstone__load(void);

#endif
