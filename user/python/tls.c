// SPDX-License-Identifier: MIT
#include "python/tls.h"

#include <errno.h>
#include <stddef.h>

#include "elf/elf.h"
#include "proc/mem.h"
#include "python/tls_code.h"

/* More than any program has: modules with thread-local storage, and bytes of it in one module. */
#define MODULES_MAX 4096
#define BLOCK_MAX   (16 << 20)

/* Exported functions that return a variable, by preference. */
static const char *const accessors[][4] = {
	[PY_TLS_ATTACHED] = {"PyThreadState_GetUnchecked" /* 3.13 */,
			     "_PyThreadState_UncheckedGet" /* 3.12 */, "_PyThreadState_GetCurrent",
			     "PyThreadState_Get"},
	[PY_TLS_BOUND] = {"PyGILState_GetThisThreadState"},
};

#ifdef __aarch64__
#define NATIVE_PLACE tls_arm64__place
/* A program's own block begins behind the thread pointer, or below it. */
#define BLOCKS_BELOW false
#else
#define NATIVE_PLACE tls_x86__place
#define BLOCKS_BELOW true
#endif

static bool is_offset(int64_t offset, bool below)
{
	return offset % 8 == 0 &&
	       (below ? offset < 0 && offset >= -BLOCK_MAX : offset >= 0 && offset < BLOCK_MAX);
}

/* What the loader has put into the process for the place; the words are 0 until it has. */
static int resolve(const struct tls_place *place, uint64_t bias, const struct mem_source *mem,
		   struct py_tls *out)
{
	uint64_t words[2] = {};
	int64_t offset = place->plus;
	uint64_t module = 0;
	int err = 0;

	if (place->pair_at) {
		err = mem__read(mem, place->pair_at + bias, words, sizeof(words));
		module = words[0];
		offset += words[1];
		if (!err && !module)
			err = -EAGAIN;
	} else if (place->word_at) {
		err = mem__read_u64(mem, place->word_at + bias, words);
		offset += words[0];
		if (!err && !words[0])
			err = -EAGAIN;
	}
	if (err)
		return err;
	if (module > MODULES_MAX || !is_offset(offset, BLOCKS_BELOW && !module))
		return -ENOENT;
	*out = (struct py_tls){.found = true, .module = module, .offset = offset};
	return 0;
}

int py_tls__find(const struct elf_file *elf, uint64_t bias, const struct mem_source *mem,
		 enum py_tls_variable variable, struct py_tls *out)
{
	const char *const *names = accessors[variable];
	struct elf_symbol sym;
	struct tls_place place;
	int err = -ENOENT;

	*out = (struct py_tls){};
	for (unsigned int i = 0; i < 4 && names[i] && err == -ENOENT; i++) {
		err = elf__symbol(elf, names[i], &sym);
		if (!err)
			err = NATIVE_PLACE(elf, sym.vaddr, &place);
		if (!err)
			err = resolve(&place, bias, mem, out);
	}
	return err;
}
