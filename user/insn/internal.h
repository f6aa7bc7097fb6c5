/* SPDX-License-Identifier: MIT */
/* The decoders of the machines. Private to insn. */
#ifndef COWTRACE_INSN_INTERNAL_H
#define COWTRACE_INSN_INTERNAL_H

#include "insn/decode.h"

struct insn_x86;

/* 0, -ENOMEM or -ENOTSUP. */
int insn_x86__new(struct insn_x86 **out);
void insn_x86__free(struct insn_x86 *dec);
void insn_x86__decode(struct insn_x86 *dec, const uint8_t *bytes, size_t len, struct insn *out);

void insn__decode_arm64(const uint8_t *bytes, size_t len, struct insn *out);

#endif
