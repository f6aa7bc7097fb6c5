// SPDX-License-Identifier: MIT
#include "python/version.h"

#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#include "base/a64.h"
#include "elf/elf.h"

/* The text is among the first 13 instructions of those seen (3.8.18 to 3.10.13, GCC 10 and 12). */
#define MAX_INSTRUCTIONS 32
#define MAX_BYTES	 256
#define MAX_TEXT	 24

/* Release levels of PY_VERSION_HEX. */
#define LEVEL_FINAL 0xf

#ifdef __aarch64__
#define NATIVE_SCAN py_version__scan_arm64
#else
#define NATIVE_SCAN py_version__scan_x86
#endif

static uint32_t parse_level(const char *text)
{
	static const struct {
		const char *name;
		uint32_t level;
	} levels[] = {{"a", 0xa}, {"b", 0xb}, {"rc", 0xc}};
	unsigned int serial;
	int end = 0;

	if (!*text || !strcmp(text, "+"))
		return LEVEL_FINAL << 4;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		size_t len = strlen(levels[i].name);

		if (strncmp(text, levels[i].name, len) ||
		    sscanf(text + len, "%2u%n", &serial, &end) != 1 || serial > 15)
			continue;
		text += len + end;
		return !*text || !strcmp(text, "+") ? levels[i].level << 4 | serial : 0;
	}
	return 0;
}

uint32_t py_version__parse(const char *text)
{
	unsigned int minor, micro;
	uint32_t level;
	int end = 0;

	if (strncmp(text, "3.", 2) || text[2] < '0' || text[2] > '9' ||
	    sscanf(text + 2, "%3u.%3u%n", &minor, &micro, &end) != 2 || !end || minor > 0xff ||
	    micro > 0xff)
		return 0;
	level = parse_level(text + 2 + end);
	return level ? 3u << 24 | minor << 16 | micro << 8 | level : 0;
}

static uint32_t version_at(const struct elf_file *elf, uint64_t address)
{
	char text[MAX_TEXT + 1] = "";

	/* A text at the very end of a segment may be shorter. */
	for (size_t len = MAX_TEXT; len && elf__read(elf, address, text, len);)
		text[--len] = '\0';
	return py_version__parse(text);
}

/* A page, by adrp, and the place in it, by add. */
uint32_t py_version__scan_arm64(const struct elf_file *elf, uint64_t address, const uint8_t *bytes,
				size_t len)
{
	uint64_t pages[32] = {};
	uint32_t version = 0, word;

	for (; len >= sizeof(word) && !version; len -= 4, bytes += 4, address += 4) {
		struct a64 in;

		memcpy(&word, bytes, sizeof(word));
		in = a64__decode(word);
		if (in.op == A64_ADD && pages[in.rn])
			version = version_at(elf, pages[in.rn] + in.imm);
		if (in.op == A64_ADRP)
			pages[in.rd] = (address & ~4095ull) + in.imm;
		else if (in.op == A64_ADD || in.op == A64_MOV || in.op == A64_LDR)
			pages[in.rd] = 0;
	}
	return version;
}

/* An address that an instruction takes: relative to itself, or as a constant (fixed address). */
static uint64_t address_taken(const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;

	if (insn->id == X86_INS_LEA && x->operands[1].mem.base == X86_REG_RIP)
		return insn->address + insn->size + x->operands[1].mem.disp;
	if ((insn->id == X86_INS_MOV || insn->id == X86_INS_MOVABS) &&
	    x->operands[1].type == X86_OP_IMM)
		return x->operands[1].imm;
	return 0;
}

static uint32_t scan_with(csh handle, const struct elf_file *elf, uint64_t address,
			  const uint8_t *bytes, size_t left)
{
	cs_insn *insn = cs_malloc(handle);
	uint32_t version = 0;

	for (unsigned int i = 0; insn && i < MAX_INSTRUCTIONS && !version; i++) {
		uint64_t taken;

		if (!cs_disasm_iter(handle, &bytes, &left, &address, insn))
			break;
		taken = address_taken(insn);
		if (taken)
			version = version_at(elf, taken);
	}
	if (insn)
		cs_free(insn, 1);
	return version;
}

uint32_t py_version__scan_x86(const struct elf_file *elf, uint64_t address, const uint8_t *bytes,
			      size_t len)
{
	uint32_t version;
	csh handle;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle))
		return 0;
	cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
	version = scan_with(handle, elf, address, bytes, len);
	cs_close(&handle);
	return version;
}

uint32_t py_version__of_code(const struct elf_file *elf)
{
	uint8_t bytes[MAX_BYTES];
	struct elf_symbol sym;
	size_t len;

	if (elf__symbol(elf, "Py_GetVersion", &sym))
		return 0;
	len = sym.size && sym.size < sizeof(bytes) ? sym.size : sizeof(bytes);
	return elf__read(elf, sym.vaddr, bytes, len) ? 0 : NATIVE_SCAN(elf, sym.vaddr, bytes, len);
}
