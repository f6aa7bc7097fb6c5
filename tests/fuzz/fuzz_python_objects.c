// SPDX-License-Identifier: MIT
// link: user/python/code.c user/python/object.c user/python/lnotab.c user/python/location_table.c
// link: user/python/layout.c user/python/tables.c user/proc/mem.c user/proc/mem_cache.c
// link: user/proc/mem_pages.c user/base/utf8.c -Itests/unit
/*
 * A good code object of any version, damaged: three bytes of the input say where and how, the rest
 * go there. Read from this process, and from chunks of it.
 */
#include "python/code.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <cowtrace/abi.h>

#include "base/utf8.h"
#include "python/object.h"
#include "code_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	struct world w;
	uint8_t more[1024]; /* of the fuzzer's own, to point to */
};

static void damage(struct memory *m, const uint8_t *data, size_t size)
{
	uint8_t *bytes = m->w.metatype;
	size_t room = (uint8_t *)(m + 1) - bytes;

	while (size > 3) {
		size_t at = (data[0] | data[1] << 8) % room, len = data[2] % 16 + 1;

		data += 3;
		size -= 3;
		len = len < size ? len : size;
		len = len < room - at ? len : room - at;
		if (data[-1] & 16) /* a pointer into the memory */
			put_pointer(bytes, at & ~7ul, bytes + (data[0] * 16) % room);
		else
			memcpy(bytes + at, data, len);
		data += len;
		size -= len;
	}
}

static void read_all(const struct memory *m, const struct mem_source *mem)
{
	const struct py_offsets *off = m->w.off;
	char text[NAME_MAX_BYTES + 1];
	struct py_type *type;
	struct py_code *code;
	uint32_t check = 1;

	if (py_str__read(mem, off, (uintptr_t)m->w.name, text, sizeof(text)) > NAME_MAX_BYTES)
		abort();
	if (!py_type__read(mem, off, (uintptr_t)m->w.code_type, &type))
		py_type__free(type);
	if (!py_code__read(mem, off, (uintptr_t)m->w.code, &check, &code))
		py_code__free(code);
	if (py_code__read(mem, off, (uintptr_t)m->w.code, NULL, &code))
		return;
	for (uint32_t at = 0; at < 512; at++)
		if (py_code__line(code, off, at) > INT_MAX)
			abort();
	if (py_code__line(code, off, CT_OFFSET_UNKNOWN))
		abort();
	py_code__free(code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct py_offsets *versions[WORLD_VERSIONS];
	static size_t n_versions;
	struct memory *m;
	struct mem_chunk chunks[WORLD_CHUNKS];
	struct mem_source mem = mem__of(getpid());

	if (!n_versions)
		n_versions = world__versions(versions);
	if (size < 2 || !(m = calloc(1, sizeof(*m))))
		return 0;
	world__build(&m->w, versions[data[0] % n_versions]);
	damage(m, data + 2, size - 2);
	read_all(m, &mem);
	world__chunks(&m->w, chunks);
	chunks[data[1] % WORLD_CHUNKS].len = data[1];
	mem.n_chunks = WORLD_CHUNKS;
	mem.chunks = chunks;
	read_all(m, &mem);
	mem.n = 0;
	read_all(m, &mem);
	free(m);
	return 0;
}
