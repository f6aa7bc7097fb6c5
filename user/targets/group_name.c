/* SPDX-License-Identifier: MIT */
#include "targets/group_name.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* Of a container's id: as docker ps shows it. */
#define ID_LENGTH     64
#define ID_SHORT      12
#define MAX_CGROUPS   8192
#define MAX_COMPONENT 256

/* What is before and behind an id in the name of a scope, and what is in front of a short one. */
static const struct {
	const char *before, *behind, *what;
} containers[] = {
	{"docker-", ".scope", "docker"},
	{"cri-containerd-", ".scope", "containerd"},
	{"crio-", ".scope", "crio"},
	{"libpod-", ".scope", "podman"},
	{"nerdctl-", ".scope", "containerd"},
	{"machine-", ".scope", "machine"}, /* systemd-nspawn, libvirt */
	{"lxc.payload.", "", "lxc"},
	{"", "", "container"}, /* cgroupfs: the id alone */
};

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_id(const char *text, size_t len)
{
	return len == ID_LENGTH && strspn(text, "0123456789abcdef") >= ID_LENGTH;
}

/* parent: the component in front of it, such as "docker" or "kubepods" */
static bool container_name(const char *part, const char *parent, char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
		const char *before = containers[i].before, *what = containers[i].what;
		size_t skip = strlen(before), end = strlen(containers[i].behind), len;

		if (!starts_with(part, before) || !ends_with(part + skip, containers[i].behind))
			continue;
		part += skip;
		len = strlen(part) - end;
		if (is_id(part, len))
			len = ID_SHORT;
		else if (!skip || !len ||
			 (strcmp(what, "machine") != 0 && strcmp(what, "lxc") != 0))
			return false;
		if (!skip && strcmp(parent, "docker") == 0)
			what = parent;
		snprintf(name, size, "%s:%.*s", what, (int)len, part);
		return true;
	}
	return false;
}

/* Of all components the last one that says something: a container may be within a service. */
static bool path_name(const char *path, char *name, size_t size)
{
	char part[MAX_COMPONENT] = "", parent[MAX_COMPONENT];
	bool found = false;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len && len < sizeof(part)) {
			memcpy(parent, part, sizeof(parent));
			memcpy(part, path, len);
			part[len] = '\0';
			if (container_name(part, parent, name, size)) {
				found = true;
			} else if (ends_with(part, ".service") && !starts_with(part, "user@")) {
				snprintf(name, size, "%s", part);
				found = true;
			}
		}
		path += len + (path[len] == '/');
	}
	return found;
}

/* "0::/path", "4:memory:/path": the path, ended, and where the next line begins. */
static const char *next_path(char **text)
{
	char *line = strsep(text, "\n"), *path = line ? strchr(line, ':') : NULL;

	path = path ? strchr(path + 1, ':') : NULL;
	return path ? path + 1 : "";
}

bool group_name__of_cgroups(const char *text, char *name, size_t size)
{
	char copy[MAX_CGROUPS], *rest = copy;

	snprintf(copy, sizeof(copy), "%s", text);
	while (rest && *rest)
		if (path_name(next_path(&rest), name, size))
			return true;
	return false;
}

void group_name__of_command(const char *command, char *name, size_t size)
{
	size_t len = strcspn(command, " ");

	/* "gunicorn: master [app]", "postgres: writer": what setproctitle(3) makes of it */
	while (len > 1 && command[len - 1] == ':')
		len--;
	utf8__sanitize(name, size, len ? command : "?", len ?: 1);
}

size_t group_name__read(pid_t pid, char *text, size_t size)
{
	_close_ int fd = -1;
	char path[64];
	size_t len = 0;
	ssize_t n = 1;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && n > 0 && len + 1 < size) {
		n = read(fd, text + len, size - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
	return len;
}

void group_name__of(pid_t pid, const char *command, char *name, size_t size)
{
	char text[MAX_CGROUPS], found[MAX_COMPONENT + 16];

	group_name__read(pid, text, sizeof(text));
	if (group_name__of_cgroups(text, found, sizeof(found)))
		utf8__sanitize(name, size, found, strlen(found));
	else
		group_name__of_command(command, name, size);
}

bool group_name__in_cgroup(const char *text, const char *path)
{
	char copy[MAX_CGROUPS], *rest = copy;
	size_t len = strlen(path);

	snprintf(copy, sizeof(copy), "%s", text);
	while (rest && *rest) {
		const char *at = next_path(&rest);

		if (strncmp(at, path, len) == 0 && (!at[len] || at[len] == '/'))
			return true;
	}
	return false;
}
