/* SPDX-License-Identifier: MIT */
#include "model/cause.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cowtrace/abi.h>

#include "model/facts.h"
#include "model/rules.h"

static bool kernel_write(const struct fault_facts *f, struct verdict *v)
{
	if (f->unshare)
		return decide(v, CAUSE_KERNEL_WRITE, CERTAINTY_PROVEN, "unshare");
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

/*
 * Bytecode: of a code object on the stack; or of the instruction that is being executed, wherever
 * this thread's copy of it lies (free-threaded 3.14+). The interpreter writes counters, caches and
 * opcodes there, never anything else; in a function that waits for another one to return it has no
 * cache to fill, but changes opcodes and counters, of two bytes.
 */
static bool inline_cache(const struct fault_facts *f, struct verdict *v)
{
	bool running = f->has_opcode && f->addr - f->instr < PY_OPCODE_MAX_BYTES;
	unsigned int most = running || f->code.on_stack ? 8 : 2;
	bool fits = f->insn.width <= most && writes_word(&f->insn);

	if (!running && (!f->code.found || !f->code.in_bytecode))
		return false;
	return decide(v, CAUSE_INLINE_CACHE, proven_if(fits), "bytecode");
}

/* A thread's state or an interpreter's, in memory of malloc. */
static bool interpreter(const struct fault_facts *f, struct verdict *v)
{
	return f->interpreter && decide(v, CAUSE_NATIVE_DATA, proven_if(writes_memory(&f->insn)),
					"interpreter state");
}

static bool native_data(const struct fault_facts *f, struct verdict *v)
{
	const char *name = f->region.name ? f->region.name : "";

	if (f->region.kind == REGION_TLS)
		return decide(v, CAUSE_NATIVE_DATA, proven_if(writes_memory(&f->insn)),
			      "thread-local");
	/* The loader relocates a library that the process has mapped since its maps were read. */
	if (f->region.kind == REGION_UNKNOWN && f->origin == CT_ORIGIN_FILE && f->module &&
	    strncmp(f->module, "ld-", 3) == 0)
		return decide(v, CAUSE_NATIVE_DATA, proven_if(writes_memory(&f->insn)),
			      "relocation");
	return f->region.kind == REGION_DATA &&
	       decide(v, CAUSE_NATIVE_DATA, proven_if(writes_memory(&f->insn)), name);
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

/* What an allocator says of the place comes before what the place looks like; libc's own code knows
 * no objects. */
/* clang-format off */
static const rule_fn rules[] = {
	kernel_write,
	stack,
	inline_cache,
	rule__pool_header,
	rule__free_pool,
	rule__free_block,
	interpreter,
	rule__debug_hooks,
	rule__malloc,
	rule__refcount,
	rule__gc_header,
	rule__frozenset,
	rule__object_field,
	native_data,
	rule__arena,
	rule__references,
	rule__no_python,
	rule__library_memory,
	rule__buffer,
	rule__mutator,
	unknown,
};
/* clang-format on */

/* Those that go by block and object, which may have been read in another process. */
static bool asks_memory(rule_fn rule)
{
	return rule == rule__free_block || rule == interpreter || rule == rule__object_field ||
	       rule == rule__arena || rule == rule__references || rule == rule__buffer;
}

void cause__judge(const struct fault_facts *facts, struct verdict *out)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		*out = (struct verdict){.detail = ""};
		if (!rules[i](facts, out))
			continue;
		if (facts->doubtful && asks_memory(rules[i]) && out->certainty == CERTAINTY_PROVEN)
			out->certainty = CERTAINTY_LIKELY;
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
