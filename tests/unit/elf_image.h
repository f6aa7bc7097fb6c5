/* SPDX-License-Identifier: MIT */
/* A small ELF file, made by hand so that a test knows every byte and may spoil any of them. */
#ifndef COWTRACE_TESTS_ELF_IMAGE_H
#define COWTRACE_TESTS_ELF_IMAGE_H

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGE_TEXT_VADDR  0x401000ull
#define IMAGE_TEXT_OFFSET 0x1000ull
#define IMAGE_TEXT_SIZE	  0x600ull
#define IMAGE_DATA_VADDR  0x403600ull
#define IMAGE_DATA_OFFSET 0x1600ull
#define IMAGE_DATA_SIZE	  0x10ull
#define IMAGE_BSS_SIZE	  0x100ull

enum {
	IMAGE_NULL,
	IMAGE_TEXT,
	IMAGE_DATA,
	IMAGE_SYMTAB,
	IMAGE_STRTAB,
	IMAGE_DYNSYM,
	IMAGE_DYNSTR,
	IMAGE_SHSTRTAB,
	IMAGE_SECTIONS
};

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[3];
	Elf64_Shdr sections[IMAGE_SECTIONS];
	Elf64_Sym symtab[16], dynsym[4];
	char strtab[256], dynstr[64], shstrtab[128];
	char gap[IMAGE_TEXT_OFFSET - 64 - 3 * 56 - IMAGE_SECTIONS * 64 - 20 * 24 - 256 - 64 - 128];
	char text[IMAGE_TEXT_SIZE];
	char data[IMAGE_DATA_SIZE];
};

_Static_assert(offsetof(struct image, text) == IMAGE_TEXT_OFFSET, "image layout");
_Static_assert(offsetof(struct image, data) == IMAGE_DATA_OFFSET, "image layout");

static inline Elf64_Word image__string(char *table, size_t size, const char *s)
{
	size_t at = 1;

	while (table[at])
		at += strlen(table + at) + 1;
	if (at + strlen(s) + 2 > size)
		abort();
	strcpy(table + at, s);
	return (Elf64_Word)at;
}

static inline void image__symbol(struct image *im, const char *name, unsigned char info,
				 Elf64_Half section, uint64_t vaddr, uint64_t size)
{
	size_t i = 1;

	while (im->symtab[i].st_name)
		if (++i == sizeof(im->symtab) / sizeof(im->symtab[0]))
			abort();
	im->symtab[i] = (Elf64_Sym){
		.st_name = image__string(im->strtab, sizeof(im->strtab), name),
		.st_info = info,
		.st_shndx = section,
		.st_value = vaddr,
		.st_size = size,
	};
}

static inline void image__section(struct image *im, int i, const char *name, Elf64_Word type,
				  void *bytes, uint64_t size, uint64_t vaddr)
{
	im->sections[i] = (Elf64_Shdr){
		.sh_name = image__string(im->shstrtab, sizeof(im->shstrtab), name),
		.sh_type = type,
		.sh_flags = vaddr ? SHF_ALLOC : 0,
		.sh_addr = vaddr,
		.sh_offset = (uint64_t)((char *)bytes - (char *)im),
		.sh_size = size,
		.sh_addralign = 8,
	};
}

static inline void image__tables(struct image *im)
{
	image__section(im, IMAGE_TEXT, ".text", SHT_PROGBITS, im->text, IMAGE_TEXT_SIZE,
		       IMAGE_TEXT_VADDR);
	image__section(im, IMAGE_DATA, ".data", SHT_PROGBITS, im->data, IMAGE_DATA_SIZE,
		       IMAGE_DATA_VADDR);
	image__section(im, IMAGE_SYMTAB, ".symtab", SHT_SYMTAB, im->symtab, sizeof(im->symtab), 0);
	image__section(im, IMAGE_STRTAB, ".strtab", SHT_STRTAB, im->strtab, sizeof(im->strtab), 0);
	image__section(im, IMAGE_DYNSYM, ".dynsym", SHT_DYNSYM, im->dynsym, sizeof(im->dynsym), 0);
	image__section(im, IMAGE_DYNSTR, ".dynstr", SHT_STRTAB, im->dynstr, sizeof(im->dynstr), 0);
	image__section(im, IMAGE_SHSTRTAB, ".shstrtab", SHT_STRTAB, im->shstrtab,
		       sizeof(im->shstrtab), 0);
	im->sections[IMAGE_SYMTAB].sh_link = IMAGE_STRTAB;
	im->sections[IMAGE_DYNSYM].sh_link = IMAGE_DYNSTR;
	im->sections[IMAGE_SYMTAB].sh_entsize = im->sections[IMAGE_DYNSYM].sh_entsize = 24;
}

static inline void image__init(struct image *im)
{
	memset(im, 0, sizeof(*im));
	memcpy(im->header.e_ident, ELFMAG "\2\1\1", 7);
	im->header.e_type = ET_EXEC;
#ifdef __aarch64__
	im->header.e_machine = EM_AARCH64;
#else
	im->header.e_machine = EM_X86_64;
#endif
	im->header.e_version = 1;
	im->header.e_ehsize = sizeof(Elf64_Ehdr);
	im->header.e_phentsize = sizeof(Elf64_Phdr);
	im->header.e_shentsize = sizeof(Elf64_Shdr);
	im->header.e_phoff = offsetof(struct image, segments);
	im->header.e_shoff = offsetof(struct image, sections);
	im->header.e_phnum = 3;
	im->header.e_shnum = IMAGE_SECTIONS;
	im->header.e_shstrndx = IMAGE_SHSTRTAB;
	im->segments[0] =
		(Elf64_Phdr){PT_LOAD, PF_R, 0, 0x400000, 0x400000, 0x1000, 0x1000, 0x1000};
	im->segments[1] =
		(Elf64_Phdr){PT_LOAD,	       PF_R | PF_X,	IMAGE_TEXT_OFFSET, IMAGE_TEXT_VADDR,
			     IMAGE_TEXT_VADDR, IMAGE_TEXT_SIZE, IMAGE_TEXT_SIZE,   0x1000};
	im->segments[2] = (Elf64_Phdr){PT_LOAD,
				       PF_R | PF_W,
				       IMAGE_DATA_OFFSET,
				       IMAGE_DATA_VADDR,
				       IMAGE_DATA_VADDR,
				       IMAGE_DATA_SIZE,
				       IMAGE_DATA_SIZE + IMAGE_BSS_SIZE,
				       0x1000};
	image__tables(im);
	for (size_t i = 0; i < sizeof(im->text); i++)
		im->text[i] = (char)i;
	strcpy(im->data, "initialised");
}

/* The usual symbols, for tests that only need some. */
static inline void image__init_symbols(struct image *im)
{
	const unsigned char function = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);

	image__init(im);
	image__symbol(im, "first", function, IMAGE_TEXT, IMAGE_TEXT_VADDR, 0x20);
	image__symbol(im, "second", function, IMAGE_TEXT, IMAGE_TEXT_VADDR + 0x40, 0x40);
	image__symbol(im, "word", ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), IMAGE_DATA,
		      IMAGE_DATA_VADDR, 8);
	im->dynsym[1] = (Elf64_Sym){
		.st_name = image__string(im->dynstr, sizeof(im->dynstr), "exported"),
		.st_info = function,
		.st_shndx = IMAGE_TEXT,
		.st_value = IMAGE_TEXT_VADDR + 0x100,
		.st_size = 0x10,
	};
}

static inline void image__write(const void *image, size_t len, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, image, len) != (ssize_t)len || close(fd)) {
		perror(path);
		abort();
	}
}

#endif
