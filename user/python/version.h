/* SPDX-License-Identifier: MIT */
/* The version of an interpreter that has no variable to tell it (up to 3.10). */
#ifndef COWTRACE_PYTHON_VERSION_H
#define COWTRACE_PYTHON_VERSION_H

#include <stddef.h>
#include <stdint.h>

struct elf_file;

/* Of a text as in PY_VERSION ("3.9.2", "3.10.0rc2+"), as PY_VERSION_HEX; 0: it is none. */
uint32_t py_version__parse(const char *text);

/*
 * PY_VERSION is a constant that only Py_GetVersion() uses, an exported function that formats it:
 * its instructions lead to the text, whatever the name of the file. 0: not found.
 */
uint32_t py_version__of_code(const struct elf_file *elf);

/* The same, of instructions of one machine that lie at that address of the file. */
uint32_t py_version__scan_x86(const struct elf_file *elf, uint64_t address, const uint8_t *bytes,
			      size_t len);
uint32_t py_version__scan_arm64(const struct elf_file *elf, uint64_t address, const uint8_t *bytes,
				size_t len);

#endif
