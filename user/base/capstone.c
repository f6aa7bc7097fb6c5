/* SPDX-License-Identifier: MIT */
/*
 * capstone is loaded when it is needed, and not with the program: its tables are relocated as a
 * whole, and take 3 of the 9 MiB of the process that speaks HTTP, which decodes nothing. What of it
 * is called is here, under the names and with the types of its header. A static program has it in
 * itself.
 */
#include "base/capstone.h"

#include <stddef.h>

#ifdef CT_STATIC

const char *capstone__load(void)
{
	return NULL;
}

#else

#include <capstone/capstone.h>
#include <dlfcn.h>

#define TEXT(x)	   #x
#define VERSION(x) TEXT(x)
/* The version whose header this was built with. */
#define LIBRARY	   "libcapstone.so." VERSION(CS_API_MAJOR)

/* Written once, by capstone__load. */
static struct {
	cs_err (*open)(cs_arch arch, cs_mode mode, csh *handle);
	cs_err (*close)(csh *handle);
	cs_err (*option)(csh handle, cs_opt_type type, size_t value);
	cs_insn *(*malloc)(csh handle);
	void (*free)(cs_insn *insn, size_t count);
	bool (*disasm_iter)(csh handle, const uint8_t **code, size_t *size, uint64_t *address,
			    cs_insn *insn);
} capstone;

static bool find(void *library, const char *name, void *to)
{
	void *function = dlsym(library, name);

	*(void **)to = function;
	return function;
}

const char *capstone__load(void)
{
	void *library;

	if (capstone.disasm_iter)
		return NULL;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return dlerror();
	if (find(library, "cs_open", &capstone.open) &&
	    find(library, "cs_close", &capstone.close) &&
	    find(library, "cs_option", &capstone.option) &&
	    find(library, "cs_malloc", &capstone.malloc) &&
	    find(library, "cs_free", &capstone.free) &&
	    find(library, "cs_disasm_iter", &capstone.disasm_iter))
		return NULL;
	return "a function is missing in " LIBRARY;
}

/* Of the others none is called before this one. */
cs_err cs_open(cs_arch arch, cs_mode mode, csh *handle)
{
	return capstone__load() ? CS_ERR_ARCH : capstone.open(arch, mode, handle);
}

cs_err cs_close(csh *handle)
{
	return capstone.close(handle);
}

cs_err cs_option(csh handle, cs_opt_type type, size_t value)
{
	return capstone.option(handle, type, value);
}

cs_insn *cs_malloc(csh handle)
{
	return capstone.malloc(handle);
}

void cs_free(cs_insn *insn, size_t count)
{
	capstone.free(insn, count);
}

bool cs_disasm_iter(csh handle, const uint8_t **code, size_t *size, uint64_t *address,
		    cs_insn *insn)
{
	return capstone.disasm_iter(handle, code, size, address, insn);
}

#endif
