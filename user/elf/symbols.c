/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "elf/internal.h"

/* The largest programs known stay below a fourth of this. */
#define SYMBOLS_MAX (4u << 20)
#define STRINGS_MAX (256u << 20)
/* How far a function without a size may reach. */
#define REACH_MAX 4096
/* How many functions that begin before an address are tried: enough for nested ones. */
#define NESTING_MAX 256
/* Names are sorted by so many bytes: a hostile file has millions of equal ones, megabytes long. */
#define NAME_COMPARED 128

static Elf_Data *section_data(Elf *handle, size_t index, GElf_Shdr *sh, uint64_t size_max)
{
	Elf_Scn *scn = elf_getscn(handle, index);
	Elf_Data *data;

	if (!scn || !gelf_getshdr(scn, sh) || sh->sh_size > size_max)
		return NULL;
	data = elf_getdata(scn, NULL);
	return data && data->d_buf && data->d_size ? data : NULL;
}

static uint8_t rank_of(unsigned char info)
{
	switch (GELF_ST_BIND(info)) {
	case STB_GLOBAL:
		return 0;
	case STB_WEAK:
		return 1;
	default:
		return 2;
	}
}

/* Functions and data that the file defines at an address of its own. */
static bool is_wanted(const GElf_Sym *sym)
{
	unsigned char type = GELF_ST_TYPE(sym->st_info);

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS || sym->st_shndx == SHN_COMMON)
		return false;
	return type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_OBJECT ||
	       type == STT_NOTYPE;
}

static void add_symbol(struct symbols *out, const GElf_Sym *sym, const char *strings, size_t size)
{
	unsigned char type = GELF_ST_TYPE(sym->st_info);

	if (!is_wanted(sym) || sym->st_name >= size || !strings[sym->st_name])
		return;
	out->all[out->count++] = (struct symbol){
		.vaddr = sym->st_value,
		.size = sym->st_size,
		.name = strings + sym->st_name,
		.section = sym->st_shndx,
		.rank = rank_of(sym->st_info),
		.function = type == STT_FUNC || type == STT_GNU_IFUNC,
	};
}

/* One symbol table; one that makes no sense is as good as none. 0 or -ENOMEM. */
static int load_table(struct symbols *out, Elf *handle, size_t index, char **strings_out)
{
	Elf_Data *data, *text;
	struct symbol *grown;
	GElf_Shdr sh, text_sh;
	GElf_Sym sym;
	char *strings;
	size_t n;

	data = section_data(handle, index, &sh, (uint64_t)SYMBOLS_MAX * sizeof(Elf64_Sym));
	if (!data || sh.sh_entsize != sizeof(Elf64_Sym))
		return 0;
	text = section_data(handle, sh.sh_link, &text_sh, STRINGS_MAX);
	if (!text || text_sh.sh_type != SHT_STRTAB)
		return 0;
	n = data->d_size / sizeof(Elf64_Sym);
	grown = reallocarray(out->all, out->count + n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	out->all = grown;
	strings = malloc(text->d_size + 1);
	if (!strings)
		return -ENOMEM;
	memcpy(strings, text->d_buf, text->d_size);
	strings[text->d_size] = '\0';
	*strings_out = strings;
	for (size_t i = 0; i < n; i++)
		if (gelf_getsym(data, (int)i, &sym))
			add_symbol(out, &sym, strings, text->d_size);
	return 0;
}

static int load_tables(struct symbols *out, Elf *handle, size_t nsections)
{
	static const GElf_Word types[] = {SHT_SYMTAB, SHT_DYNSYM};
	GElf_Shdr sh;
	int err = 0;

	for (size_t t = 0; t < 2 && !err; t++) {
		for (size_t i = 1; i < nsections; i++) {
			if (!gelf_getshdr(elf_getscn(handle, i), &sh) || sh.sh_type != types[t])
				continue;
			err = load_table(out, handle, i, &out->strings[t]);
			break;
		}
	}
	return err;
}

/* Functions first, by address; of several at one address the one to prefer comes last. */
static int compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->function != y->function)
		return x->function ? -1 : 1;
	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return -strncmp(x->name, y->name, NAME_COMPARED);
}

static void set_reach(const struct elf_file *elf, struct symbols *symbols)
{
	uint64_t limit, next = UINT64_MAX, last = UINT64_MAX;

	for (size_t i = symbols->functions; i-- > 0;) {
		struct symbol *sym = &symbols->all[i];
		const struct section *section;

		if (sym->vaddr != last) {
			next = last;
			last = sym->vaddr;
		}
		if (sym->section >= elf->nsections)
			continue;
		section = &elf->sections[sym->section];
		if (sym->vaddr < section->vaddr || sym->vaddr - section->vaddr >= section->size)
			continue;
		limit = section->size - (sym->vaddr - section->vaddr);
		if (next - sym->vaddr < limit)
			limit = next - sym->vaddr;
		sym->reach = limit < REACH_MAX ? (uint16_t)limit : REACH_MAX;
	}
}

int elf_symbols__load(const struct elf_file *elf, struct symbols *out)
{
	Elf *handle;
	int err;

	elf_version(EV_CURRENT);
	handle = elf_begin(elf->fd, ELF_C_READ, NULL);
	if (!handle)
		return -EINVAL;
	err = load_tables(out, handle, elf->nsections);
	elf_end(handle);
	if (err)
		return err;
	if (out->count)
		qsort(out->all, out->count, sizeof(*out->all), compare);
	while (out->functions < out->count && out->all[out->functions].function)
		out->functions++;
	set_reach(elf, out);
	return 0;
}

void elf_symbols__release(struct symbols *symbols)
{
	free(symbols->all);
	free(symbols->strings[0]);
	free(symbols->strings[1]);
	*symbols = (struct symbols){0};
}

/* What could not be read once is not tried again: the file counts as one without symbols. */
static const struct symbols *get(const struct elf_file *elf)
{
	if (!elf->symbols->loaded && elf_symbols__load(elf, elf->symbols))
		elf_symbols__release(elf->symbols);
	elf->symbols->loaded = true;
	return elf->symbols;
}

static void fill(const struct symbol *sym, struct elf_symbol *out)
{
	*out = (struct elf_symbol){.vaddr = sym->vaddr, .size = sym->size, .name = sym->name};
}

int elf__symbol(const struct elf_file *elf, const char *name, struct elf_symbol *out)
{
	const struct symbols *symbols = get(elf);
	const struct symbol *best = NULL;

	for (size_t i = 0; i < symbols->count; i++) {
		const struct symbol *sym = &symbols->all[i];

		if ((!best || sym->rank < best->rank) && strcmp(sym->name, name) == 0)
			best = sym;
	}
	if (!best)
		return -ENOENT;
	fill(best, out);
	return 0;
}

static bool holds(const struct symbol *sym, uint64_t vaddr)
{
	return vaddr - sym->vaddr < (sym->size ? sym->size : sym->reach);
}

int elf__function_at(const struct elf_file *elf, uint64_t vaddr, struct elf_symbol *out)
{
	const struct symbols *symbols = get(elf);
	size_t low = 0, high = symbols->functions, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (symbols->all[mid].vaddr <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	/* The nearest that begins before vaddr may be a small one inside the one that holds it. */
	for (size_t tries = 0; low-- > 0 && tries < NESTING_MAX; tries++) {
		if (!holds(&symbols->all[low], vaddr))
			continue;
		fill(&symbols->all[low], out);
		return 0;
	}
	return -ENOENT;
}
