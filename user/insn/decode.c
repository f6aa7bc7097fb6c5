/* SPDX-License-Identifier: MIT */
#include "insn/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "insn/internal.h"

#define INSN_LEN_MAX 16
/* A service runs a few dozen storing instructions; one slot each is plenty. A power of two. */
#define SLOTS 1024

struct slot {
	uint8_t bytes[INSN_LEN_MAX];
	uint8_t len; /* 0: empty */
	struct insn insn;
};

struct insn_decoder {
	struct insn_x86 *x86; /* NULL: arm64 */
	struct slot slots[SLOTS];
};

int insn_decoder__new(enum insn_machine machine, struct insn_decoder **out)
{
	struct insn_decoder *dec = calloc(1, sizeof(*dec));
	int err = dec ? 0 : -ENOMEM;

	if (!err && machine == INSN_X86)
		err = insn_x86__new(&dec->x86);
	if (err) {
		insn_decoder__free(dec);
		return err;
	}
	*out = dec;
	return 0;
}

void insn_decoder__free(struct insn_decoder *dec)
{
	if (!dec)
		return;
	insn_x86__free(dec->x86);
	free(dec);
}

static struct slot *slot_of(struct insn_decoder *dec, const uint8_t *bytes)
{
	uint64_t low, high;

	memcpy(&low, bytes, sizeof(low));
	memcpy(&high, bytes + sizeof(low), sizeof(high));
	return &dec->slots[((low ^ high * 31) * 0x9e3779b97f4a7c15ull) >> 32 & (SLOTS - 1)];
}

static void decode(struct insn_decoder *dec, const uint8_t *bytes, size_t len, struct insn *out)
{
	if (dec->x86)
		insn_x86__decode(dec->x86, bytes, len, out);
	else
		insn__decode_arm64(bytes, len, out);
}

void insn_decoder__decode(struct insn_decoder *dec, const uint8_t *bytes, size_t len,
			  struct insn *out)
{
	uint8_t key[INSN_LEN_MAX] = {0};
	struct slot *slot;

	if (len > sizeof(key))
		len = sizeof(key);
	if (len)
		memcpy(key, bytes, len);
	slot = slot_of(dec, key);
	if (slot->len != len || memcmp(slot->bytes, key, sizeof(key)) != 0) {
		decode(dec, key, len, &slot->insn);
		memcpy(slot->bytes, key, sizeof(key));
		slot->len = (uint8_t)len;
	}
	*out = slot->insn;
}
