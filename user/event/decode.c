/* SPDX-License-Identifier: MIT */
#include "event/decode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

static bool copy__valid(const struct ct_copy *c)
{
	return c->layout < CT_MAX_LAYOUTS && c->origin < CT_ORIGIN_MAX &&
	       c->unwind < CT_UNWIND_MAX && c->src_reg < 32 && c->pool_szidx < 32 &&
	       c->type_word < CT_WINDOW_WORDS && c->order <= CT_MAX_ORDER;
}

static bool stack__valid(const struct ct_stack *s, size_t size)
{
	const size_t head = offsetof(struct ct_stack, frames);

	return size >= head && s->layout < CT_MAX_LAYOUTS && s->unwind < CT_UNWIND_MAX &&
	       s->nframes <= CT_MAX_FRAMES && size == head + s->nframes * sizeof(s->frames[0]);
}

static bool comm__valid(const char comm[CT_COMM_LEN])
{
	for (int i = 0; i < CT_COMM_LEN; i++)
		if (!comm[i])
			return true;
	return false;
}

static size_t memory__room(uint32_t kind)
{
	switch (kind) {
	case CT_MEMORY_CODE:
		return CT_MEMORY_CODE_BYTES;
	case CT_MEMORY_LONG_CODE:
		return CT_MEMORY_LONG_CODE_BYTES;
	case CT_MEMORY_TYPE:
		return CT_MEMORY_TYPE_BYTES;
	default:
		return 0;
	}
}

/* Each piece lies in data[] and does not go round the end of the address space. */
static bool chunk__valid(const struct ct_chunk *c, size_t room)
{
	return c->at <= room && c->len <= room - c->at && c->addr <= UINT64_MAX - c->len;
}

static bool memory__valid(const struct ct_memory *m, size_t size)
{
	size_t room;

	if (size < sizeof(*m))
		return false;
	room = memory__room(m->kind);
	if (!room || size != sizeof(*m) + room || m->layout >= CT_MAX_LAYOUTS)
		return false;
	for (int i = 0; i < CT_MEMORY_CHUNKS; i++)
		if (!chunk__valid(&m->chunks[i], room))
			return false;
	return true;
}

static bool event__valid(const union event *e, size_t size)
{
	switch (e->tag) {
	case CT_COPY:
		return size == sizeof(e->copy) && copy__valid(&e->copy);
	case CT_FIXUP:
		return size == sizeof(e->fixup) && e->fixup.kind <= CT_FIXUP_ORIGIN_FILE;
	case CT_STACK:
		return stack__valid(&e->stack, size);
	case CT_FORK:
		return size == sizeof(e->fork) && comm__valid(e->fork.comm);
	case CT_EXEC:
		return size == sizeof(e->exec) && comm__valid(e->exec.comm);
	case CT_EXIT:
		return size == sizeof(e->exit) && comm__valid(e->exit.comm);
	case CT_ADOPT:
		return size == sizeof(e->adopt) && comm__valid(e->adopt.comm);
	case CT_MEMORY:
		return memory__valid(&e->memory, size);
	default:
		return false;
	}
}

int event__decode(const void *data, size_t size, const union event **out)
{
	const union event *e = data;

	if (size < sizeof(e->tag) || (uintptr_t)data % 8 || !event__valid(e, size))
		return -EINVAL;
	*out = e;
	return 0;
}
