/* SPDX-License-Identifier: MIT */
#include "capture/types.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Ten times what the largest kernels have. */
#define SIZE_MAX_MIB 64

struct types {
	uint8_t *data;
	size_t size;
	bool mapped;
	const uint8_t *types;
	const char *strings;
	uint32_t types_len, strings_len;
	uint32_t *at; /* [n + 1] */
	uint32_t n;
};

static int read_all(int fd, uint8_t *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, data + done, size - done);

		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* It can be mapped since 6.16. */
static int types__load(struct types *t, const char *path)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_size < (off_t)sizeof(struct btf_header) || st.st_size > SIZE_MAX_MIB << 20)
		return -EINVAL;
	t->size = (size_t)st.st_size;
	t->data = mmap(NULL, t->size, PROT_READ, MAP_PRIVATE, fd, 0);
	t->mapped = t->data != MAP_FAILED;
	if (t->mapped)
		return 0;
	t->data = malloc(t->size);
	return t->data ? read_all(fd, t->data, t->size) : -ENOMEM;
}

/* Both parts lie in the data, and the strings end. */
static int types__parts(struct types *t)
{
	const struct btf_header *h = (const void *)t->data;
	uint64_t types = (uint64_t)h->hdr_len + h->type_off;
	uint64_t strings = (uint64_t)h->hdr_len + h->str_off;

	if (h->magic != 0xeb9f || types % 4 || types + h->type_len > t->size || !h->str_len ||
	    strings + h->str_len > t->size || t->data[strings + h->str_len - 1])
		return -EINVAL;
	t->types = t->data + types;
	t->types_len = h->type_len;
	t->strings = (const char *)t->data + strings;
	t->strings_len = h->str_len;
	return 0;
}

/* 0: not known. */
static uint64_t size_of(const struct btf_type *type)
{
	static const uint8_t fixed[] = {[BTF_KIND_INT] = 4,
					[BTF_KIND_ARRAY] = sizeof(struct btf_array),
					[BTF_KIND_VAR] = sizeof(struct btf_var),
					[BTF_KIND_DECL_TAG] = sizeof(struct btf_decl_tag),
					[BTF_KIND_ENUM64] = 0};
	static const uint8_t each[] = {[BTF_KIND_STRUCT] = sizeof(struct btf_member),
				       [BTF_KIND_UNION] = sizeof(struct btf_member),
				       [BTF_KIND_ENUM] = sizeof(struct btf_enum),
				       [BTF_KIND_FUNC_PROTO] = sizeof(struct btf_param),
				       [BTF_KIND_DATASEC] = sizeof(struct btf_var_secinfo),
				       [BTF_KIND_ENUM64] = sizeof(struct btf_enum64)};
	uint32_t kind = btf_kind(type);

	if (!kind || kind >= sizeof(each))
		return 0;
	return sizeof(*type) + fixed[kind] + (uint64_t)each[kind] * btf_vlen(type);
}

static int types__index(struct types *t)
{
	uint32_t room = t->types_len / sizeof(struct btf_type) + 1, at = 0;

	t->at = malloc(room * sizeof(*t->at));
	if (!t->at)
		return -ENOMEM;
	while (t->types_len - at >= sizeof(struct btf_type)) {
		uint64_t size = size_of((const void *)(t->types + at));

		if (!size || size > t->types_len - at)
			return -EINVAL;
		t->at[++t->n] = at;
		at += (uint32_t)size;
	}
	return 0;
}

int types__read(const char *path, struct types **out)
{
	struct types *t = calloc(1, sizeof(*t));
	int err = t ? types__load(t, path) : -ENOMEM;

	err = err ?: types__parts(t);
	err = err ?: types__index(t);
	if (err)
		types__free(t);
	else
		*out = t;
	return err;
}

void types__free(struct types *types)
{
	if (!types)
		return;
	if (types->mapped)
		munmap(types->data, types->size);
	else if (types->data != MAP_FAILED)
		free(types->data);
	free(types->at);
	free(types);
}

const struct btf_type *types__at(const struct types *types, uint32_t number)
{
	return number && number <= types->n ? (const void *)(types->types + types->at[number])
					    : NULL;
}

const char *types__name(const struct types *types, uint32_t offset)
{
	return offset < types->strings_len ? types->strings + offset : "";
}

uint32_t types__find(const struct types *types, const char *name, uint32_t kind)
{
	for (uint32_t i = 1; i <= types->n; i++) {
		const struct btf_type *type = types__at(types, i);

		if ((!kind || btf_kind(type) == kind) &&
		    strcmp(types__name(types, type->name_off), name) == 0)
			return i;
	}
	return 0;
}
