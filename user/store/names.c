/* SPDX-License-Identifier: MIT */
#include "store/names.h"

#include <string.h>

#include <cowtrace/abi.h>

#include "model/facts.h"

#define NAMES(table, ...)                                                                          \
	static const char *const table##_words[] = {__VA_ARGS__};                                  \
	const struct names table##_names = {sizeof(table##_words) / sizeof(table##_words[0]),      \
					    table##_words}

NAMES(origin, [CT_ORIGIN_FORK] = "fork", [CT_ORIGIN_FILE] = "file", [CT_ORIGIN_ZERO] = "zero",
      [CT_ORIGIN_KSM] = "ksm");

NAMES(region, [REGION_UNKNOWN] = "unknown", [REGION_ANON] = "anonymous", [REGION_HEAP] = "heap",
      [REGION_STACK] = "stack", [REGION_TLS] = "thread-local", [REGION_DATA] = "data",
      [REGION_FILE] = "file", [REGION_SHARED] = "shared");

NAMES(insn, [INSN_UNKNOWN] = "unknown", [INSN_STORE] = "store", [INSN_ADD] = "add",
      [INSN_SUB] = "sub", [INSN_INC] = "inc", [INSN_DEC] = "dec", [INSN_LOGIC] = "logic",
      [INSN_XCHG] = "xchg", [INSN_XADD] = "xadd", [INSN_PUSH] = "push", [INSN_STRING] = "string",
      [INSN_VECTOR] = "vector", [INSN_OTHER] = "other", [INSN_READ] = "read");

NAMES(source, [INSN_SRC_NONE] = "none", [INSN_SRC_REG] = "register", [INSN_SRC_IMM] = "immediate");

NAMES(opcode, [PY_OPCODE_UNKNOWN] = "unknown", [PY_OPCODE_OTHER] = "other",
      [PY_OPCODE_STORES] = "stores", [PY_OPCODE_CALLS] = "calls", [PY_OPCODE_ITERATES] = "iterates",
      [PY_OPCODE_BINARY] = "binary");

NAMES(allocator, [BLOCK_NONE] = "none", [BLOCK_PYMALLOC] = "pymalloc",
      [BLOCK_MIMALLOC] = "mimalloc", [BLOCK_MALLOC] = "malloc");

NAMES(content, [CONTENT_UNKNOWN] = "unknown", [CONTENT_OBJECT] = "object", [CONTENT_KEYS] = "keys",
      [CONTENT_OTHER] = "other");

NAMES(link, [GC_LINK_UNKNOWN] = "unknown", [GC_LINK_LIST] = "list", [GC_LINK_OBJECT] = "object");

NAMES(field, [PY_FIELD_NONE] = "none", [PY_FIELD_REFCOUNT] = "refcount",
      [PY_FIELD_SHARED] = "shared", [PY_FIELD_OWNER] = "owner", [PY_FIELD_MUTEX] = "mutex",
      [PY_FIELD_GC] = "gc", [PY_FIELD_TYPE] = "type", [PY_FIELD_SIZE] = "size",
      [PY_FIELD_LAZY] = "lazy", [PY_FIELD_CODE] = "code", [PY_FIELD_MANAGED] = "managed",
      [PY_FIELD_DATA] = "data");

static const char *const unwind_words[] = {
#define CT_UNWIND(id, name, help) [CT_UNWIND_##id] = name,
#include <cowtrace/reasons.def>
};
const struct names unwind_names = {CT_UNWIND_MAX, unwind_words};

static const char *const missing_words[] = {
#define CT_MISSING(id, name, help) [CT_MISSING_##id] = name,
#include <cowtrace/reasons.def>
};
const struct names missing_names = {CT_MISSING_MAX, missing_words};

static const char *const lost_words[] = {
#define CT_LOST(id, name, help) [CT_LOST_##id] = name,
#include <cowtrace/reasons.def>
};
const struct names lost_names = {CT_LOST_MAX, lost_words};

const char *names__word(const struct names *names, size_t value)
{
	return value < names->n && names->words[value] ? names->words[value] : "";
}

int names__value(const struct names *names, const char *word)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->words[i] && strcmp(names->words[i], word) == 0)
			return (int)i;
	return -1;
}
