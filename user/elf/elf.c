/* SPDX-License-Identifier: MIT */
#include "elf/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/internal.h"

/* Far above what linkers make; a header that claims more is out to cost memory. */
#define SEGMENTS_MAX	   1024
#define SECTIONS_MAX	   8192
#define SECTION_NAMES_MAX  (1u << 20)
#define SMALLEST_PAGE_MASK 4095ull

#ifdef __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_X86_64
#endif

static int read_at(int fd, uint64_t offset, void *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return -EFAULT;
	while (done < len) {
		n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

/* libelf allocates by the counts of the header before anybody can look at them: so look first. */
static int check_header(int fd, bool *dyn)
{
	Elf64_Ehdr h;

	if (read_at(fd, 0, &h, sizeof(h)) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
		return -EINVAL;
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB)
		return -EINVAL;
	if (h.e_machine != MACHINE || (h.e_type != ET_EXEC && h.e_type != ET_DYN))
		return -EINVAL;
	if (h.e_phnum > SEGMENTS_MAX || h.e_shnum > SECTIONS_MAX)
		return -EINVAL;
	/* Extended numbering puts a 64-bit count into the first section. */
	if (h.e_shoff && !h.e_shnum)
		return -EINVAL;
	*dyn = h.e_type == ET_DYN;
	return 0;
}

static bool segment_is_sane(const GElf_Phdr *ph)
{
	return ph->p_type == PT_LOAD && ph->p_filesz <= ph->p_memsz &&
	       ph->p_vaddr + ph->p_memsz >= ph->p_vaddr &&
	       ph->p_offset + ph->p_filesz >= ph->p_offset;
}

static int load_segments(struct elf_file *elf, Elf *handle)
{
	GElf_Phdr ph;
	size_t n;

	if (elf_getphdrnum(handle, &n) || n > SEGMENTS_MAX)
		return -EINVAL;
	elf->segments = calloc(n + 1, sizeof(*elf->segments));
	if (!elf->segments)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(handle, (int)i, &ph) || !segment_is_sane(&ph))
			continue;
		elf->segments[elf->nsegments++] = (struct elf_segment){
			.vaddr = ph.p_vaddr,
			.offset = ph.p_offset,
			.filesz = ph.p_filesz,
			.memsz = ph.p_memsz,
			.writable = ph.p_flags & PF_W,
			.executable = ph.p_flags & PF_X,
		};
	}
	return 0;
}

/* The names of the sections; without them (size 0) the sections are there and have no names. */
static int load_section_names(struct elf_file *elf, Elf *handle, size_t *size)
{
	GElf_Shdr sh;
	size_t index;

	*size = 0;
	if (!elf_getshdrstrndx(handle, &index) && gelf_getshdr(elf_getscn(handle, index), &sh) &&
	    sh.sh_type == SHT_STRTAB && sh.sh_size <= SECTION_NAMES_MAX)
		*size = sh.sh_size;
	elf->section_names = calloc(*size + 1, 1);
	if (!elf->section_names)
		return -ENOMEM;
	if (*size && read_at(elf->fd, sh.sh_offset, elf->section_names, *size))
		*size = 0;
	return 0;
}

static int load_sections(struct elf_file *elf, Elf *handle)
{
	size_t n, names_size;
	GElf_Shdr sh;
	int err;

	if (elf_getshdrnum(handle, &n) || n > SECTIONS_MAX)
		return -EINVAL;
	err = load_section_names(elf, handle, &names_size);
	if (err)
		return err;
	elf->sections = calloc(n + 1, sizeof(*elf->sections));
	if (!elf->sections)
		return -ENOMEM;
	elf->nsections = n;
	for (size_t i = 0; i < n; i++) {
		elf->sections[i].name = "";
		if (!gelf_getshdr(elf_getscn(handle, i), &sh) || !(sh.sh_flags & SHF_ALLOC))
			continue;
		elf->sections[i].vaddr = sh.sh_addr;
		elf->sections[i].size = sh.sh_size;
		if (sh.sh_name < names_size)
			elf->sections[i].name = elf->section_names + sh.sh_name;
	}
	return 0;
}

static int load(struct elf_file *elf)
{
	Elf *handle;
	int err;

	err = check_header(elf->fd, &elf->dyn);
	if (err)
		return err;
	elf_version(EV_CURRENT);
	/* Not the mmap variants: a mapped file that is truncated meanwhile kills the reader. */
	handle = elf_begin(elf->fd, ELF_C_READ, NULL);
	if (!handle)
		return -EINVAL;
	err = elf_kind(handle) == ELF_K_ELF ? load_segments(elf, handle) : -EINVAL;
	if (!err)
		err = load_sections(elf, handle);
	elf_end(handle);
	return err;
}

int elf__open_path_fd(int path_fd, const char *path, struct elf_file **out)
{
	struct elf_file *elf;
	char self[40];
	struct stat st;
	int err = -ENOMEM;

	if (fstat(path_fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode)) /* not even opened: a device may act on that */
		return -EINVAL;
	elf = calloc(1, sizeof(*elf));
	if (!elf)
		return -ENOMEM;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	elf->fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (elf->fd < 0)
		err = -errno;
	elf->path = strdup(path);
	elf->symbols = calloc(1, sizeof(*elf->symbols));
	if (elf->fd >= 0 && elf->path && elf->symbols)
		err = load(elf);
	if (err)
		elf__free(elf);
	else
		*out = elf;
	return err;
}

int elf__open(const char *path, struct elf_file **out)
{
	_close_ int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : elf__open_path_fd(fd, path, out);
}

void elf__free(struct elf_file *elf)
{
	if (!elf)
		return;
	if (elf->symbols)
		elf_symbols__release(elf->symbols);
	if (elf->fd >= 0)
		close(elf->fd);
	free(elf->symbols);
	free(elf->segments);
	free(elf->sections);
	free(elf->section_names);
	free(elf->path);
	free(elf);
}

const char *elf__path(const struct elf_file *elf)
{
	return elf->path;
}

bool elf__is_pie_or_dso(const struct elf_file *elf)
{
	return elf->dyn;
}

size_t elf__segments(const struct elf_file *elf, const struct elf_segment **out)
{
	*out = elf->segments;
	return elf->nsegments;
}

int elf__bias(const struct elf_file *elf, uint64_t map_start, uint64_t map_offset, uint64_t *bias)
{
	const struct elf_segment *found = NULL;

	for (size_t i = 0; i < elf->nsegments; i++) {
		const struct elf_segment *seg = &elf->segments[i];
		uint64_t first = seg->offset & ~SMALLEST_PAGE_MASK;

		if (map_offset < first || map_offset >= seg->offset + seg->filesz)
			continue;
		/* Two segments can share a page of the file; a mapping begins where its own does.
		 */
		if (map_offset == first) {
			found = seg;
			break;
		}
		if (!found)
			found = seg;
	}
	if (!found)
		return -ENOENT;
	*bias = map_start - map_offset - (found->vaddr - found->offset);
	return 0;
}

int elf__section(const struct elf_file *elf, const char *name, uint64_t *vaddr, uint64_t *size)
{
	for (size_t i = 0; i < elf->nsections; i++) {
		if (strcmp(elf->sections[i].name, name) != 0)
			continue;
		*vaddr = elf->sections[i].vaddr;
		*size = elf->sections[i].size;
		return 0;
	}
	return -ENOENT;
}

int elf__read(const struct elf_file *elf, uint64_t vaddr, void *buf, size_t len)
{
	for (size_t i = 0; i < elf->nsegments; i++) {
		const struct elf_segment *seg = &elf->segments[i];
		uint64_t skip = vaddr - seg->vaddr;

		if (vaddr < seg->vaddr || skip > seg->filesz || len > seg->filesz - skip)
			continue;
		return read_at(elf->fd, seg->offset + skip, buf, len);
	}
	return -EFAULT;
}
