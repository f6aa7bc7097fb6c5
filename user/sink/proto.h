/* SPDX-License-Identifier: MIT */
/* Just enough of Protocol Buffers to write messages: fields of numbers, bytes and messages. */
#ifndef COWTRACE_SINK_PROTO_H
#define COWTRACE_SINK_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proto {
	uint8_t *data;
	size_t size, room;
	bool failed; /* out of memory: what is in it is not whole */
};

void proto__free(struct proto *proto);
#define _proto_ __attribute__((cleanup(proto__free)))

/* Keeps the memory, forgets the content. */
void proto__clear(struct proto *proto);
/* A field of value 0 is left out: it is the default. */
void proto__number(struct proto *proto, unsigned int field, uint64_t value);
void proto__bytes(struct proto *proto, unsigned int field, const void *data, size_t size);
void proto__message(struct proto *proto, unsigned int field, const struct proto *message);
/* An item of a packed repeated field, which proto__message then puts into its message. */
void proto__item(struct proto *proto, uint64_t value);

#endif
