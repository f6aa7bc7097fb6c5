/* SPDX-License-Identifier: MIT */
#include "model/cause.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cowtrace/abi.h>

#include "model/facts.h"

/* A rule fills the verdict and returns true, or leaves it alone. The first that fits decides. */
typedef bool (*rule_fn)(const struct fault_facts *f, struct verdict *v);

static bool decide(struct verdict *v, enum cause cause, enum certainty certainty,
		   const char *detail)
{
	v->cause = cause;
	v->certainty = certainty;
	v->detail = detail;
	return true;
}

static enum certainty proven_if(bool evidence)
{
	return evidence ? CERTAINTY_PROVEN : CERTAINTY_LIKELY;
}

/* The instruction writes memory in a way that a single field is written: a store or an addition. */
static bool writes_word(const struct insn *i)
{
	return i->kind == INSN_STORE || i->kind == INSN_ADD || i->kind == INSN_SUB ||
	       i->kind == INSN_INC || i->kind == INSN_DEC || i->kind == INSN_XCHG;
}

static bool writes_memory(const struct insn *i)
{
	return i->kind != INSN_UNKNOWN && i->kind != INSN_READ;
}

static bool kernel_write(const struct fault_facts *f, struct verdict *v)
{
	return f->kernel && decide(v, CAUSE_KERNEL_WRITE, CERTAINTY_PROVEN,
				   f->syscall ? f->syscall : "exception");
}

static bool stack(const struct fault_facts *f, struct verdict *v)
{
	if (f->datastack)
		return decide(v, CAUSE_STACK, proven_if(writes_memory(&f->insn)), "python");
	return f->region.kind == REGION_STACK &&
	       decide(v, CAUSE_STACK, proven_if(writes_memory(&f->insn) && f->addr + 256 >= f->sp),
		      "native");
}

static bool inline_cache(const struct fault_facts *f, struct verdict *v)
{
	if (!f->code.found || !f->code.in_bytecode)
		return false;
	/* Its own code being rewritten by the thread that executes it: two independent witnesses.
	 */
	return decide(v, CAUSE_INLINE_CACHE, proven_if(f->code.on_stack && writes_memory(&f->insn)),
		      "bytecode");
}

/* co_warmup (3.11: 52 bytes into the code object): the countdown to specialisation. */
static bool warmup(const struct fault_facts *f, struct verdict *v)
{
	return f->python_version == 0x030b && f->code.found && f->code.offset >= 52 &&
	       f->code.offset < 54 &&
	       decide(v, CAUSE_INLINE_CACHE, proven_if(f->code.on_stack && f->insn.width == 2),
		      "warmup");
}

static bool pool_header(const struct fault_facts *f, struct verdict *v)
{
	return f->pool.found && f->pool.header &&
	       decide(v, CAUSE_ALLOCATOR, proven_if(writes_word(&f->insn)), "pymalloc pool");
}

/* A block that is handed out or given back, whatever is written to it first. */
static bool pool_block(const struct fault_facts *f, struct verdict *v)
{
	return f->pool.found && f->pool.block_is_free && f->addr - f->pool.block < 32 &&
	       decide(v, CAUSE_ALLOCATOR, proven_if(writes_memory(&f->insn)), "pymalloc block");
}

/*
 * The reference count is the first word of an object. 64-bit up to 3.11, since 3.12 a 32-bit store
 * to increment and a 64-bit store to decrement (immortal objects are not written at all). Values
 * decide the direction; without them the address alone makes it likely.
 */
static bool refcount(const struct fault_facts *f, struct verdict *v)
{
	const struct type_fact *type = f->type_at[OBJECT_AT_REFCOUNT];
	uint64_t mask = f->insn.width == 4 ? 0xffffffffu : ~0ull;
	uint64_t old = f->old_value & mask, new = f->new_value &mask;

	if (!type || f->addr % 8)
		return false;
	v->type = type->name;
	if (f->has_new && writes_word(&f->insn) && f->insn.width >= 4 && old && old >> 32 == 0) {
		if (new == old + 1)
			return decide(v, CAUSE_REFCOUNT, CERTAINTY_PROVEN, "inc");
		if (new == old - 1)
			return decide(v, CAUSE_REFCOUNT, CERTAINTY_PROVEN, "dec");
	}
	/* A dead object's words are still there when its block is handed out again. */
	if (f->has_new && f->insn.kind == INSN_STORE && (old == 0 || old >> 32))
		return decide(v, CAUSE_ALLOCATOR, CERTAINTY_LIKELY, "reuse of a block");
	return writes_word(&f->insn) && decide(v, CAUSE_REFCOUNT, CERTAINTY_LIKELY, "");
}

/*
 * _gc_next or _gc_prev of a tracked object. Every collection writes _gc_prev of all that it visits.
 * Otherwise an object is linked into, or taken out of, the list of the youngest generation, whose
 * head lies in the interpreter's own data.
 */
static bool gc_header(const struct fault_facts *f, struct verdict *v)
{
	const struct type_fact *next = f->type_at[OBJECT_AT_GC_NEXT];
	const struct type_fact *type = f->type_at[OBJECT_AT_GC_PREV] ?: next;
	const char *detail = f->gc_collecting		   ? "collect"
			     : f->has_new && !f->new_value ? "untrack"
							   : "track";

	if (!type || f->insn.kind == INSN_VECTOR || f->insn.kind == INSN_STRING)
		return false;
	v->type = type->name;
	return decide(v, CAUSE_GC_HEADER, proven_if(writes_memory(&f->insn) && f->insn.width == 8),
		      detail);
}

static bool native_data(const struct fault_facts *f, struct verdict *v)
{
	const char *name = f->region.name ? f->region.name : "";

	if (f->region.kind == REGION_TLS)
		return decide(v, CAUSE_NATIVE_DATA, proven_if(writes_memory(&f->insn)),
			      "thread-local");
	return f->region.kind == REGION_DATA &&
	       decide(v, CAUSE_NATIVE_DATA, proven_if(writes_memory(&f->insn)), name);
}

/* Fields that are filled in lazily on objects that only get read: offsets of GIL builds. */
static bool lazy_field(const struct fault_facts *f, const char *type, int64_t offset)
{
	if (strcmp(type, "str") == 0) {
		int64_t utf8 = f->python_version >= 0x030c ? 40 : 48;

		return (offset >= 24 && offset < 32) || (offset >= utf8 && offset < utf8 + 16);
	}
	if (strcmp(type, "bytes") == 0)
		return offset >= 24 && offset < 32;
	if (strcmp(type, "frozenset") == 0)
		return offset >= 48 && offset < 56;
	return false;
}

static bool object_field(const struct fault_facts *f, struct verdict *v)
{
	int64_t offset = (int64_t)(f->addr - f->pool.object);

	if (!f->pool.type || !writes_memory(&f->insn))
		return false;
	v->type = f->pool.type->name;
	if (offset < 0)
		return decide(v, offset >= -16 ? CAUSE_GC_HEADER : CAUSE_MUTATION, CERTAINTY_LIKELY,
			      offset >= -16 ? (f->gc_collecting ? "collect" : "track")
					    : "managed dict");
	if (lazy_field(f, v->type, offset))
		return decide(v, CAUSE_LAZY_CACHE, CERTAINTY_LIKELY, "");
	return decide(v, CAUSE_MUTATION, CERTAINTY_LIKELY, "field");
}

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

/* Chunk headers and free lists of the C library's allocator, in the memory that it manages. Without
 * symbols: a plain store of libc into its heap, which is not a copy or a fill of a buffer. */
static bool malloc_chunk(const struct fault_facts *f, struct verdict *v)
{
	bool heap = f->region.kind == REGION_HEAP || f->region.kind == REGION_ANON;

	if (!heap || !is_libc(f->module) || !writes_word(&f->insn))
		return false;
	if (f->symbol_is_function && !is_malloc_symbol(f->symbol))
		return false;
	return decide(v, CAUSE_ALLOCATOR, proven_if(f->symbol_is_function), "malloc");
}

/* Whole vectors and strings of bytes are written to raw memory, never to headers. */
static bool buffer(const struct fault_facts *f, struct verdict *v)
{
	bool bulk = f->insn.kind == INSN_VECTOR || f->insn.kind == INSN_STRING;

	if (f->region.kind == REGION_FILE || f->region.kind == REGION_SHARED)
		return decide(v, CAUSE_BUFFER, proven_if(writes_memory(&f->insn)), "mapped file");
	return bulk && (f->region.kind == REGION_ANON || f->region.kind == REGION_HEAP) &&
	       decide(v, CAUSE_BUFFER, CERTAINTY_LIKELY, "");
}

/* What a library other than the interpreter writes in place is its own memory, not a Python object.
 */
static bool library_memory(const struct fault_facts *f, struct verdict *v)
{
	bool interpreter = !f->module || !f->module[0] || strncmp(f->module, "python", 6) == 0 ||
			   strncmp(f->module, "libpython", 9) == 0;

	return !interpreter && writes_memory(&f->insn) &&
	       (f->region.kind == REGION_ANON || f->region.kind == REGION_HEAP) &&
	       decide(v, CAUSE_BUFFER, CERTAINTY_LIKELY, f->module);
}

/* A program without Python has no objects: what it writes is its own memory. */
static bool no_python(const struct fault_facts *f, struct verdict *v)
{
	return !f->python && writes_memory(&f->insn) &&
	       (f->region.kind == REGION_ANON || f->region.kind == REGION_HEAP) &&
	       decide(v, CAUSE_BUFFER, CERTAINTY_PROVEN, "");
}

static bool unknown(const struct fault_facts *f, struct verdict *v)
{
	static const char *const regions[] = {
		[REGION_UNKNOWN] = "unmapped", [REGION_ANON] = "anonymous memory",
		[REGION_HEAP] = "heap",	       [REGION_STACK] = "stack",
		[REGION_TLS] = "thread-local", [REGION_DATA] = "data",
		[REGION_FILE] = "mapped file", [REGION_SHARED] = "shared memory",
	};

	v->type = NULL;
	return decide(v, CAUSE_UNKNOWN, CERTAINTY_NONE, regions[f->region.kind]);
}

static const rule_fn rules[] = {
	kernel_write, stack,	inline_cache, warmup,	      pool_header,
	pool_block,   refcount, gc_header,    native_data,    object_field,
	malloc_chunk, buffer,	no_python,    library_memory, unknown,
};

void cause__judge(const struct fault_facts *facts, struct verdict *out)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		*out = (struct verdict){.detail = ""};
		if (rules[i](facts, out))
			return;
	}
}

static const struct {
	const char *name, *help;
} causes[CAUSE_MAX] = {
	[CAUSE_REFCOUNT] = {"refcount", "reading objects"},
	[CAUSE_GC_HEADER] = {"gc-header", "garbage collector"},
	[CAUSE_INLINE_CACHE] = {"inline-cache", "running functions"},
	[CAUSE_LAZY_CACHE] = {"lazy-cache", "values computed on first use"},
	[CAUSE_MUTATION] = {"mutation", "changing objects"},
	[CAUSE_ALLOCATOR] = {"allocator", "making and freeing objects"},
	[CAUSE_NATIVE_DATA] = {"native-data", "variables of C libraries"},
	[CAUSE_STACK] = {"stack", "calling functions"},
	[CAUSE_BUFFER] = {"buffer", "raw memory"},
	[CAUSE_KERNEL_WRITE] = {"kernel-write", "results of system calls"},
	[CAUSE_UNKNOWN] = {"unknown", "not explained"},
};

const char *cause__name(enum cause cause)
{
	return cause < CAUSE_MAX ? causes[cause].name : causes[CAUSE_UNKNOWN].name;
}

const char *cause__help(enum cause cause)
{
	return cause < CAUSE_MAX ? causes[cause].help : causes[CAUSE_UNKNOWN].help;
}

const char *certainty__name(enum certainty certainty)
{
	static const char *const names[CERTAINTY_MAX] = {"none", "likely", "proven"};

	return certainty < CERTAINTY_MAX ? names[certainty] : names[CERTAINTY_NONE];
}

const char *origin__name(unsigned int origin)
{
	static const char *const names[CT_ORIGIN_MAX] = {"fork", "file", "zero", "ksm"};

	return origin < CT_ORIGIN_MAX ? names[origin] : "fork";
}
