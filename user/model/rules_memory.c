/* SPDX-License-Identifier: MIT */
/* Rules for memory that is no object's: what allocators write for themselves, and raw memory. */
#include <stddef.h>
#include <string.h>

#include "base/address.h"
#include "model/rules.h"

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

	/* nextpool and prevpool are written at once */
	bool pair = f->insn.kind == INSN_VECTOR && f->insn.width == 16 &&
		    f->addr - f->block.start == 16;

	return f->block.header &&
	       decide(v, CAUSE_ALLOCATOR, proven_if(writes_word(&f->insn) || pair),
		      details[f->block.allocator]);
}

/* The links of a pool that is in no list of its size class, or in none yet: what follows them is
 * like the rest of a pool's header. */
bool rule__free_pool(const struct fault_facts *f, struct verdict *v)
{
	uint32_t index = f->window[5] >> 32, next = f->window[6], max = f->window[6] >> 32;
	uint32_t size = max + 16 * (index + 1);
	bool links = f->addr % 4096 == 16 && (writes_word(&f->insn) || f->insn.width == 16);

	return f->region.kind == REGION_ANON && f->has_window && links && index < 32 &&
	       (size == 4096 || size == 16384) && f->addr % size == 16 && next <= size &&
	       writes_memory(&f->insn) &&
	       decide(v, CAUSE_ALLOCATOR, CERTAINTY_PROVEN, "pymalloc pool");
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

/* Debug builds, PYTHONMALLOC=debug: a block is filled when it is handed out and when it is given
 * back. _PyMem_DebugRawAlloc ..., 3.8 to 3.15. */
bool rule__debug_hooks(const struct fault_facts *f, struct verdict *v)
{
	return is_memory(f) && f->symbol_is_function && writes_memory(&f->insn) &&
	       strncmp(f->symbol, "_PyMem_Debug", 12) == 0 &&
	       decide(v, CAUSE_ALLOCATOR, CERTAINTY_PROVEN, "debug hooks");
}

/* --- malloc --- */

static bool is_libc(const char *module)
{
	return module && module[0] == 'l' && /* of most copies it is another one */
	       (strncmp(module, "libc.so", 7) == 0 || strncmp(module, "libc-2.", 7) == 0 ||
		strncmp(module, "ld-musl", 7) == 0);
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

/* A size, with flags in a header or without at the end of a free block. */
static bool is_size(uint64_t word)
{
	return word >= 32 && word >> 40 == 0 && !(word & 8);
}

/* A header's size, with the flag that the block in front of it is in use. */
static bool is_header(uint64_t word)
{
	return word & 1 && is_size(word);
}

static bool is_link(uint64_t word, unsigned int align)
{
	return word == 0 || (word >> ADDRESS_BITS == 0 && word >> 20 && word % align == 0);
}

/*
 * What glibc's malloc writes to its memory: sizes in headers, sizes at the ends of free blocks,
 * links in their first words. Links of the lists for small blocks are mangled with their own place
 * (glibc 2.32 and later); the second word of a block in such a list may be any number (2.34).
 */
static bool is_malloc_value(const struct fault_facts *f)
{
	uint64_t value = f->new_value, old = f->old_value;
	bool header = f->addr % 16 == 8 && is_size(value);
	bool end = f->addr % 16 == 0 && value % 16 == 0 && is_size(value) && old % 16 == 0 &&
		   (is_size(old) || !old);
	bool link = is_link(value, 8) || is_link(value ^ f->addr >> 12, 16);
	bool block = f->block.allocator == BLOCK_MALLOC && f->addr == f->block.start + 8;
	bool chunk = f->has_window && is_header(f->window[1]) && f->insn.disp == 24;
	bool second = f->addr % 16 == 8 && f->insn.has_base && !f->insn.has_index && chunk;

	return f->has_new && (header || end || link || block || second);
}

/* The flags in a header: free() tells the block behind, malloc() takes that back. They are bits 0
 * to 2 of the size (glibc 2.3 to 2.43), changed in place. */
static bool is_malloc_flag(const struct fault_facts *f)
{
	const struct insn *i = &f->insn;
	uint64_t bits = (uint64_t)i->imm > 7 ? ~(uint64_t)i->imm : (uint64_t)i->imm;

	return i->kind == INSN_LOGIC && i->source == INSN_SRC_IMM && i->width == 8 && bits &&
	       bits <= 7 && f->has_old && f->addr % 16 == 8 && is_size(f->old_value);
}

/*
 * The two links of a free block, written at once: the first words of a block, 16 bytes into what
 * malloc's code calls a chunk. A copy of bytes that has come so far would have begun in front of
 * the block, in its header.
 */
static bool is_malloc_links(const struct fault_facts *f)
{
	const struct insn *i = &f->insn;

	return i->kind == INSN_VECTOR && i->width <= 16 && i->has_base && !i->has_index &&
	       i->disp == 16 && f->addr % 16 == 0;
}

/* ... of which the address says so too: a header stands in front of it, or a block begins there. */
static bool is_chunk(const struct fault_facts *f)
{
	return (f->has_window && is_header(f->window[2])) ||
	       (f->block.allocator == BLOCK_MALLOC && f->block.start == f->addr);
}

/* A plain store of a word by libc into its heap, by what it writes. */
static bool malloc_word(const struct fault_facts *f, struct verdict *v)
{
	if (f->insn.width != 8 || f->addr % 8 || (f->has_new && !is_malloc_value(f)))
		return false;
	return decide(v, CAUSE_ALLOCATOR, proven_if(f->has_new), "malloc");
}

/* Chunk headers and free lists of the C library's allocator, in the memory that it manages. */
bool rule__malloc(const struct fault_facts *f, struct verdict *v)
{
	if (!is_memory(f) || !is_libc(f->module) || !writes_memory(&f->insn))
		return false;
	if (f->symbol_is_function)
		return is_malloc_symbol(f->symbol) &&
		       decide(v, CAUSE_ALLOCATOR, CERTAINTY_PROVEN, "malloc");
	if (is_malloc_flag(f))
		return decide(v, CAUSE_ALLOCATOR, CERTAINTY_PROVEN, "malloc");
	if (is_malloc_links(f) && (is_chunk(f) || f->addr % 4096 >= 16))
		return decide(v, CAUSE_ALLOCATOR, proven_if(is_chunk(f)), "malloc");
	return writes_word(&f->insn) && malloc_word(f, v);
}

/* --- raw memory --- */

/*
 * Whole vectors and strings of bytes are written to raw memory, never to headers. What is no
 * reference, in a block that holds neither object nor keys, is raw memory too: if it is too short
 * for a link or a hash in some table of the interpreter, or the bytecode stores an item.
 */
static bool is_raw_value(const struct fault_facts *f)
{
	return f->has_new && (f->insn.width <= 4 || f->opcode_kind == PY_OPCODE_STORES);
}

bool rule__buffer(const struct fault_facts *f, struct verdict *v)
{
	if (f->region.kind == REGION_FILE || f->region.kind == REGION_SHARED)
		return decide(v, CAUSE_BUFFER, proven_if(writes_memory(&f->insn)), "mapped file");
	if (!is_memory(f) || !writes_memory(&f->insn))
		return false;
	if (is_raw_block(f))
		return decide(v, CAUSE_BUFFER, proven_if(is_bulk(&f->insn) || is_raw_value(f)), "");
	return is_bulk(&f->insn) && decide(v, CAUSE_BUFFER, CERTAINTY_LIKELY, "");
}

static bool is_interpreter(const char *module)
{
	return !module || !module[0] || strncmp(module, "python", 6) == 0 ||
	       strncmp(module, "libpython", 9) == 0;
}

static bool is_extension(const char *module)
{
	return strstr(module, ".cpython-") || strstr(module, ".abi3.so");
}

/* Strings of bytes and vectors that no member of an object has the size of. */
static bool is_wide(const struct insn *i)
{
	return i->kind == INSN_STRING || (i->kind == INSN_VECTOR && i->width > 16);
}

/* An extension module knows objects, and so do libraries made for such (libtorch_python.so,
 * libpyside6.so); others do not. What libc writes may be its allocator's, where its functions have
 * no names. */
static bool is_foreign(const struct fault_facts *f)
{
	if (is_wide(&f->insn))
		return true;
	if (is_extension(f->module) || strstr(f->module, "py"))
		return false;
	return f->symbol_is_function || !is_libc(f->module);
}

/* The bytecode stores an item, and the type that does it comes from an extension module (mmap): no
 * reference, in a mapping in which no allocator has a block there. */
static bool is_mapped_item(const struct fault_facts *f)
{
	return f->region.kind == REGION_ANON && f->block.allocator == BLOCK_NONE &&
	       f->opcode_kind == PY_OPCODE_STORES && is_extension(f->module) && f->has_new;
}

/*
 * An instruction of an extension module went from one page to the next and wrote numbers: an array
 * of them. No member of an object is met that way, and no reference has such a value (no program
 * has objects in its first 4 MiB).
 */
static bool is_array(const struct fault_facts *f)
{
	return f->sweep && f->has_new && writes_word(&f->insn) &&
	       (f->insn.width < 8 || (f->new_value && f->new_value < 0x400000) ||
		f->new_value >> ADDRESS_BITS);
}

/* What a library other than the interpreter writes in place is its own memory, not a Python object.
 */
bool rule__library_memory(const struct fault_facts *f, struct verdict *v)
{
	return !is_interpreter(f->module) && writes_memory(&f->insn) && is_memory(f) &&
	       decide(v, CAUSE_BUFFER,
		      proven_if(is_foreign(f) || is_raw_block(f) || is_mapped_item(f) ||
				is_array(f)),
		      f->module);
}

/* A program without any Python has no objects: what it writes is its own memory. Of a Python that
 * is not understood, nothing is known. */
bool rule__no_python(const struct fault_facts *f, struct verdict *v)
{
	return !f->python && f->no_python && writes_memory(&f->insn) && is_memory(f) &&
	       decide(v, CAUSE_BUFFER, CERTAINTY_PROVEN, "");
}
