/* SPDX-License-Identifier: MIT */
#include "proc/mem.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/mem_cache.h"
#include "proc/mem_pages.h"

/* Strings are read in steps that never cross a page: the next one need not be mapped. */
#define STEP 256

/*
 * Through /proc/PID/mem and never by process_vm_readv: that one pins the pages, and since
 * Linux 5.19 pinning an anonymous page that is shared after a fork makes the kernel copy it first
 * (FAULT_FLAG_UNSHARE). To look would be to break the very sharing that is being measured.
 */
static int read_file(int fd, uint64_t addr, char *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, buf + done, len - done, (off_t)(addr + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPERM || errno == EACCES ? -EPERM : -EFAULT;
		if (n == 0) /* its address space is gone: a zombie */
			return -ESRCH;
		done += (size_t)n;
	}
	return 0;
}

static int read_once(pid_t pid, uint64_t addr, char *buf, size_t len)
{
	_close_ int fd = mem_cache__open(pid);

	return fd < 0 ? fd : read_file(fd, addr, buf, len);
}

/* What is missing of [addr, addr + len), and all of its pages with it. */
static int read_pages(struct mem_pages *pages, int fd, pid_t pid, uint64_t since, uint64_t addr,
		      char *buf, size_t len)
{
	int err = mem_pages__read(pages, fd, pid, addr, len);
	ssize_t n = err ? err : mem_pages__take(pages, pid, since, addr, buf, len);

	return n < 0 ? (int)n : (size_t)n == len ? 0 : -EFAULT;
}

/* An address space that is gone: the process may have another one by now, or another process its
 * pid. */
static int read_from(struct mem_cache *cache, pid_t pid, uint64_t since, uint64_t addr, char *buf,
		     size_t len)
{
	struct mem_pages *pages = mem_cache__pages(cache);
	bool keep = since && len <= MEM_PAGES_MAX, fresh = false;
	ssize_t n = keep ? mem_pages__take(pages, pid, since, addr, buf, len) : 0;
	int err = -ESRCH, fd;

	if (n < 0 || (size_t)n == len)
		return n < 0 ? (int)n : 0;
	while (err == -ESRCH && !fresh) {
		fd = mem_cache__get(cache, pid, &fresh);
		if (fd < 0)
			return fd;
		err = keep ? read_pages(pages, fd, pid, since, addr + n, buf + n, len - n)
			   : read_file(fd, addr, buf, len);
		if (err == -ESRCH)
			mem_cache__drop(cache, pid);
	}
	return err;
}

static int read_one(const struct mem_source *src, pid_t pid, uint64_t addr, char *buf, size_t len)
{
	return src->cache ? read_from(src->cache, pid, src->since, addr, buf, len)
			  : read_once(pid, addr, buf, len);
}

/* What to report when several processes failed: the error of the one that came closest. */
static int closer(int a, int b)
{
	static const int order[] = {-EPERM, -EFAULT};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a == -ESRCH ? b : a;
}

size_t mem__in_chunk(const struct mem_source *src, uint64_t addr, size_t max, const void **out)
{
	size_t best = 0;

	for (unsigned int i = 0; i < src->n_chunks; i++) {
		const struct mem_chunk *c = &src->chunks[i];
		uint64_t skip = addr - c->addr; /* wraps for an address before it: then too large */

		if (skip >= c->len || c->len - skip <= best)
			continue;
		best = c->len - skip;
		*out = (const char *)c->data + skip;
	}
	return best < max ? best : max;
}

int mem__read(const struct mem_source *src, uint64_t addr, void *buf, size_t len)
{
	int err = -ESRCH, this;
	const void *chunk = NULL;

	if (len && addr + (len - 1) < addr)
		return -EINVAL;
	if (src->n_chunks && mem__in_chunk(src, addr, len, &chunk) == len) {
		if (len)
			memcpy(buf, chunk, len);
		return 0;
	}
	/* pread() has no negative offsets; the kernel's half of the addresses holds nothing for us.
	 */
	if (addr > INT64_MAX || len > INT64_MAX - addr)
		return -EFAULT;
	for (unsigned int i = 0; i < src->n && i < MEM_MAX_PIDS; i++) {
		this = read_one(src, src->pids[i], addr, buf, len);
		if (!this)
			return 0;
		err = closer(err, this);
	}
	return err;
}

bool mem__forbidden(const struct mem_source *src, uint64_t addr)
{
	char byte;

	return mem__read(src, addr, &byte, 1) == -EPERM;
}

int mem__read_u64(const struct mem_source *src, uint64_t addr, uint64_t *out)
{
	uint64_t word;
	int err = mem__read(src, addr, &word, sizeof(word));

	if (!err)
		*out = le64toh(word);
	return err;
}

int mem__read_u32(const struct mem_source *src, uint64_t addr, uint32_t *out)
{
	uint32_t word;
	int err = mem__read(src, addr, &word, sizeof(word));

	if (!err)
		*out = le32toh(word);
	return err;
}

ssize_t mem__read_str(const struct mem_source *src, uint64_t addr, char *buf, size_t size)
{
	size_t done = 0, step, here;
	const void *chunk = NULL;
	const char *nul;
	int err;

	if (!size)
		return -EINVAL;
	while (done < size - 1) {
		step = STEP - ((addr + done) & (STEP - 1));
		if (step > size - 1 - done)
			step = size - 1 - done;
		here = mem__in_chunk(src, addr + done, step, &chunk);
		if (here)
			step = here;
		err = mem__read(src, addr + done, buf + done, step);
		if (err) {
			buf[0] = '\0';
			return err;
		}
		nul = memchr(buf + done, '\0', step);
		if (nul)
			return nul - buf;
		done += step;
	}
	buf[done] = '\0';
	return (ssize_t)done;
}
