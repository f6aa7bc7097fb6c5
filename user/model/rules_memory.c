/* SPDX-License-Identifier: MIT */
/* Rules for memory that is no object's: what allocators write for themselves, and raw memory. */
#include <stddef.h>
#include <string.h>

#include "model/rules.h"

static bool is_bulk(const struct insn *i)
{
	return i->kind == INSN_VECTOR || i->kind == INSN_STRING;
}

/* A block that is in use, with no object and no keys table in it. */
static bool is_raw_block(const struct fault_facts *f)
{
	return f->block.allocator != BLOCK_NONE && !f->block.header && !f->block.is_free &&
	       f->block.content == CONTENT_OTHER;
}

/* --- pymalloc, mimalloc --- */

bool rule__pool_header(const struct fault_facts *f, struct verdict *v)
{
	static const char *const details[BLOCK_ALLOCATORS] = {
		[BLOCK_NONE] = "",
		[BLOCK_PYMALLOC] = "pymalloc pool",
		[BLOCK_MIMALLOC] = "mimalloc segment",
		[BLOCK_MALLOC] = "malloc",
	};

	return f->block.header && decide(v, CAUSE_ALLOCATOR, proven_if(writes_word(&f->insn)),
					 details[f->block.allocator]);
}

/* A block that is handed out or given back, whatever is written to it first. */
bool rule__free_block(const struct fault_facts *f, struct verdict *v)
{
	return f->block.is_free && f->addr - f->block.start < 32 &&
	       decide(v, CAUSE_ALLOCATOR, proven_if(writes_memory(&f->insn)),
		      f->block.allocator == BLOCK_MIMALLOC ? "mimalloc block" : "pymalloc block");
}

/* struct arena_object, 3.8 to 3.15: its address, its next pool, the numbers of pools; pools are
 * 4096 bytes and more, arenas 2 MiB at most. */
static bool is_arena(uint64_t address, uint64_t pool)
{
	return address && address % 4096 == 0 && pool % 4096 == 0 && pool - address <= 2u << 20;
}

/* The table of pymalloc's arenas is one block of malloc. */
bool rule__arena(const struct fault_facts *f, struct verdict *v)
{
	const uint64_t *w = f->window + 3; /* the word at addr */

	return is_raw_block(f) && f->block.allocator == BLOCK_MALLOC && f->has_window &&
	       writes_word(&f->insn) && (is_arena(w[-1], w[0]) || is_arena(w[-2], w[-1])) &&
	       decide(v, CAUSE_ALLOCATOR, CERTAINTY_PROVEN, "pymalloc pool");
}

/* --- malloc --- */

static bool is_libc(const char *module)
{
	return module && (strncmp(module, "libc.so", 7) == 0 ||
			  strncmp(module, "libc-2.", 7) == 0 || strncmp(module, "ld-musl", 7) == 0);
}

/* glibc shows them as malloc, __libc_malloc, __GI___libc_malloc ..., with symbols also _int_malloc.
 */
static bool is_malloc_symbol(const char *symbol)
{
	static const char *const names[] = {"malloc",	      "free",
					    "calloc",	      "realloc",
					    "memalign",	      "valloc",
					    "cfree",	      "_int_malloc",
					    "_int_free",      "_int_realloc",
					    "unlink_chunk",   "sysmalloc",
					    "systrim",	      "malloc_consolidate",
					    "posix_memalign", "tcache_put",
					    "aligned_alloc"};

	if (strncmp(symbol, "__GI_", 5) == 0)
		symbol += 5;
	if (strncmp(symbol, "__libc_", 7) == 0)
		symbol += 7;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(symbol, names[i]) == 0)
			return true;
	return false;
}

/*
 * What malloc writes to its memory: sizes with flags in the upper word of a header, links in the
 * first words of free blocks, which are aligned to 16 bytes (glibc 2.26 and later hide some of
 * them, so that anything may be there).
 */
static bool is_malloc_value(const struct fault_facts *f)
{
	uint64_t value = f->new_value;
	bool size = f->addr % 16 == 8 && value >= 32 && value >> 40 == 0 && !(value & 8);
	bool link = value == 0 || (value >> 47 == 0 && value >> 20 && value % 16 == 0);

	return f->has_new && f->insn.width == 8 && f->addr % 8 == 0 && (size || link);
}

/* Chunk headers and free lists of the C library's allocator, in the memory that it manages. Without
 * symbols: a plain store of libc into its heap, which is not a copy or a fill of a buffer. */
bool rule__malloc(const struct fault_facts *f, struct verdict *v)
{
	if (!is_memory(f) || !is_libc(f->module) || !writes_word(&f->insn))
		return false;
	if (f->symbol_is_function && !is_malloc_symbol(f->symbol))
		return false;
	return decide(v, CAUSE_ALLOCATOR, proven_if(f->symbol_is_function || is_malloc_value(f)),
		      "malloc");
}

/* --- raw memory --- */

/* Whole vectors and strings of bytes are written to raw memory, never to headers. What is no
 * reference, in a block that holds neither object nor keys, is raw memory too. */
bool rule__buffer(const struct fault_facts *f, struct verdict *v)
{
	if (f->region.kind == REGION_FILE || f->region.kind == REGION_SHARED)
		return decide(v, CAUSE_BUFFER, proven_if(writes_memory(&f->insn)), "mapped file");
	if (!is_memory(f) || !writes_memory(&f->insn))
		return false;
	if (is_raw_block(f))
		return decide(v, CAUSE_BUFFER, proven_if(is_bulk(&f->insn) || f->has_new), "");
	return is_bulk(&f->insn) && decide(v, CAUSE_BUFFER, CERTAINTY_LIKELY, "");
}

static bool is_interpreter(const char *module)
{
	return !module || !module[0] || strncmp(module, "python", 6) == 0 ||
	       strncmp(module, "libpython", 9) == 0;
}

/* An extension module knows objects; a library without Python in it has none. */
static bool is_extension(const char *module)
{
	return strstr(module, ".cpython-") || strstr(module, ".abi3.so");
}

/* What a library other than the interpreter writes in place is its own memory, not a Python object.
 */
bool rule__library_memory(const struct fault_facts *f, struct verdict *v)
{
	return !is_interpreter(f->module) && writes_memory(&f->insn) && is_memory(f) &&
	       decide(v, CAUSE_BUFFER, proven_if(!is_extension(f->module) || is_raw_block(f)),
		      f->module);
}

/* A program without Python has no objects: what it writes is its own memory. */
bool rule__no_python(const struct fault_facts *f, struct verdict *v)
{
	return !f->python && writes_memory(&f->insn) && is_memory(f) &&
	       decide(v, CAUSE_BUFFER, CERTAINTY_PROVEN, "");
}
