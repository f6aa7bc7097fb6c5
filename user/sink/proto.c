/* SPDX-License-Identifier: MIT */
#include "sink/proto.h"

#include <stdlib.h>
#include <string.h>

#define WIRE_VARINT 0
#define WIRE_BYTES  2

void proto__free(struct proto *proto)
{
	free(proto->data);
}

void proto__clear(struct proto *proto)
{
	proto->size = 0;
}

static void append(struct proto *proto, const void *data, size_t size)
{
	if (size > proto->room - proto->size) {
		size_t room = (proto->size + size) * 2;
		uint8_t *grown = proto->failed ? NULL : realloc(proto->data, room);

		if (!grown) {
			proto->failed = true;
			return;
		}
		proto->data = grown;
		proto->room = room;
	}
	if (size)
		memcpy(proto->data + proto->size, data, size);
	proto->size += size;
}

/* Seven bits a byte, lowest first; the highest bit says that more follow. */
void proto__item(struct proto *proto, uint64_t value)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (uint8_t)(value | 0x80);
	bytes[n++] = (uint8_t)value;
	append(proto, bytes, n);
}

void proto__number(struct proto *proto, unsigned int field, uint64_t value)
{
	if (!value)
		return;
	proto__item(proto, field << 3 | WIRE_VARINT);
	proto__item(proto, value);
}

void proto__bytes(struct proto *proto, unsigned int field, const void *data, size_t size)
{
	proto__item(proto, field << 3 | WIRE_BYTES);
	proto__item(proto, size);
	append(proto, data, size);
}

void proto__message(struct proto *proto, unsigned int field, const struct proto *message)
{
	proto->failed |= message->failed;
	proto__bytes(proto, field, message->data, message->size);
}
