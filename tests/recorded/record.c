// SPDX-License-Identifier: MIT
/*
 * record: runs target.py under each interpreter of this machine and writes what was read to find
 * its stacks to a file of the directory that is named, if it has none of that version yet. Nothing
 * is written unless all stacks are what the interpreter says.
 */
#include <ctype.h>

#include "compare.h"
#include "elf/elf.h"
#include "proc/maps.h"
#include "python/tables.h"
#include "python_process.h"

static int memory = -1; /* of the process */

static bool bring_page(uint64_t address, uint8_t page[4096])
{
	return address < INT64_MAX && pread(memory, page, 4096, (off_t)address) == 4096;
}

static bool read_stacks(struct recording *rec, FILE *from)
{
	char line[512];

	while (fgets(line, sizeof(line), from)) {
		if (!strcmp(line, "ready\n"))
			return true;
		if (!recording__read_stack(rec, line))
			break;
	}
	return false;
}

static int open_of(pid_t pid, const char *what, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	return open(path, flags | O_CLOEXEC);
}

static bool find_runtime(struct recording *rec, pid_t pid)
{
	struct elf_cache *elves = NULL;
	struct maps *maps = NULL;
	int root = open_of(pid, "root", O_PATH | O_DIRECTORY), err;

	err = elf_cache__new(&elves);
	if (!err)
		err = maps__read(pid, &maps);
	if (!err)
		err = py_runtime__find(elves, root, pid, maps, &rec->rt);
	maps__unref(maps);
	elf_cache__free(elves);
	close(root);
	return !err;
}

/* --- the file --- */

static int by_address(const void *a, const void *b)
{
	const struct shim_read *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* Shorter ones may be a pointer: its upper two bytes are 0. */
#define TEXT_MIN 6

/* What stands between the slashes of a path, at least that long. */
#define NAME_MIN 2

static bool is_path(uint64_t from, uint64_t end)
{
	unsigned int name = 0;
	bool slash = false;

	for (uint64_t at = from; at < end && end - from >= TEXT_MIN && name < NAME_MIN; at++) {
		uint8_t c = *user__at(at);

		if (c == '/')
			slash = true;
		name = slash && c != '/' && (isalnum(c) || strchr("._-", c)) ? name + 1 : 0;
	}
	return name >= NAME_MIN;
}

static void user__fill(uint64_t address, uint8_t byte, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*user__at(address + i) = byte;
}

/*
 * Behind a string that was read there may be others, such as paths of this machine, and what is
 * left of freed ones fills the gaps of structures: so the first byte of a word stays, which may be
 * a member (the state of a str object).
 */
static void blacken_paths(uint64_t from, uint64_t end)
{
	uint64_t start = from;

	for (uint64_t at = from; at <= end; at++) {
		if (at < end && isprint(*user__at(at)))
			continue;
		start += start % 8 == 0;
		if (start < at && is_path(start, at))
			user__fill(start, 'x', at - start);
		start = at + 1;
	}
}

static void write_range(uint64_t from, uint64_t end, FILE *f)
{
	blacken_paths(from, end);
	for (uint64_t at = from; at < end; at++) {
		if ((at - from) % RECORDED_BYTES == 0)
			fprintf(f, "%s%" PRIx64 " ", at == from ? "" : "\n", at);
		fprintf(f, "%02x", *user__at(at));
	}
	fprintf(f, "\n");
}

static void write_memory(FILE *f)
{
	uint64_t from = 0, end = 0;

	qsort(shim.reads, shim.n_reads, sizeof(shim.reads[0]), by_address);
	for (size_t i = 0; i < shim.n_reads; i++) {
		const struct shim_read *r = &shim.reads[i];

		if (r->failed)
			continue;
		if (r->from > end) {
			if (end)
				write_range(from, end, f);
			from = r->from;
		}
		if (r->from + r->size > end)
			end = r->from + r->size;
	}
	write_range(from, end, f);
}

static bool write_file(const struct recording *rec, const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	fprintf(f,
		"# What CPython %s said of its stacks, and the memory that was read to find "
		"them: see record.c\n",
		rec->rt.version);
	fprintf(f, "version %s\n", rec->rt.version);
	recording__write_runtime(&rec->rt, f);
	for (unsigned int i = 0; i < rec->n_threads; i++) {
		fprintf(f, "thread %" PRIu64 "\n", rec->threads[i].pointer);
		for (unsigned int k = 0; k < rec->threads[i].n; k++)
			fprintf(f, "frame %u %s %s\n", rec->threads[i].frames[k].line,
				rec->threads[i].frames[k].file, rec->threads[i].frames[k].function);
	}
	write_memory(f);
	return !fclose(f);
}

/* --- one interpreter --- */

static void file_of(const struct py_runtime *rt, const char *dir, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s%s%s.mem", dir, rt->version, rt->debug_build ? "-dbg" : "",
		 rt->pthread_specific ? "" : "-musl");
}

/* The file alone must say the same. */
static bool check_file(const char *path)
{
	static struct recording rec;
	char why[512] = "it can not be read";

	if (recording__load(&rec, path))
		recording__choose(&rec, why, sizeof(why));
	if (!why[0])
		compare__stacks(&rec, why, sizeof(why));
	if (!why[0])
		return true;
	printf("%s: read again: %s; removed, try again\n", path, why);
	unlink(path);
	return false;
}

static bool record_process(struct recording *rec, const struct python_process *p, const char *dir)
{
	char path[PATH_MAX] = "", why[512] = "";
	unsigned int frames;

	if (!read_stacks(rec, p->out))
		snprintf(why, sizeof(why), "it did not say what its stacks are");
	/* Not before: each exec gives it another address space. */
	memory = open_of(p->pid, "mem", O_RDONLY);
	if (!why[0] && !find_runtime(rec, p->pid))
		snprintf(why, sizeof(why), "no runtime was found");
	if (!why[0])
		file_of(&rec->rt, dir, path);
	if (!why[0] && !access(path, F_OK)) {
		printf("%s: there already\n", path);
		return true;
	}
	usleep(300000); /* it is about to wait; if it is not there yet, the comparison fails */
	shim.n_reads = 0;
	if (!why[0])
		recording__choose(rec, why, sizeof(why));
	frames = why[0] ? 0 : compare__stacks(rec, why, sizeof(why));
	if (!why[0] && !write_file(rec, path))
		snprintf(why, sizeof(why), "can not be written");
	printf("%s: %u frames%s%s\n", path, frames, why[0] ? ": " : "", why);
	return !why[0] && check_file(path);
}

static bool record(const char *python, const char *dir)
{
	static struct recording rec;
	struct python_process p;
	bool good;

	memset(&rec, 0, sizeof(rec));
	shim__reset();
	if (!python_process__start(&p, python, __FILE__, "target.py"))
		return false;
	shim.bring = bring_page;
	good = record_process(&rec, &p, dir);
	if (memory >= 0)
		close(memory);
	memory = -1;
	python_process__end(&p);
	if (!good)
		fprintf(stderr, "record: %s was not recorded\n", python);
	return good;
}

int main(int argc, char **argv)
{
	struct pythons all;
	bool good = true;

	if (argc != 2) {
		fprintf(stderr, "usage: record DIRECTORY\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (uint32_t v = py_table__oldest(); v <= py_table__newest(); v++) {
		all = pythons__find(v & 0xff);
		for (unsigned int i = 0; i < all.n; i++)
			good &= record(all.paths[i], argv[1]);
		pythons__free(&all);
	}
	return !good;
}
