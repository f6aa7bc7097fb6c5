# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the scripts share. Sourced, after `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "this needs root: sudo scripts/${0##*/}"
}

# Prints the first of bpftool, perf ... that runs. On Ubuntu /usr/sbin/bpftool and /usr/bin/perf are wrappers
# that refuse a kernel they do not know; the real ones lie below /usr/lib.
find_tool() {
	local place
	for place in $(printf '%s\n' /usr/lib/linux-tools/*/"$1" /usr/lib/linux-tools-*/"$1" | sort -rV) \
		"/usr/sbin/$1" "/usr/bin/$1" "/usr/local/sbin/$1" "/usr/local/bin/$1"; do
		if [ -x "$place" ] && "$place" --version >/dev/null 2>&1; then
			printf '%s\n' "$place"
			return
		fi
	done
	return 1
}

# Prints the path of a CPython that cowtrace explains, the system's first.
find_python() {
	local place version
	for place in /usr/bin/python3 /usr/bin/python3.1[123] /usr/local/bin/python3 /usr/local/bin/python3.1[123]; do
		[ -x "$place" ] || continue
		version=$("$place" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
		case $version in
		3.11 | 3.12 | 3.13)
			readlink -f "$place"
			return
			;;
		esac
	done
	return 1
}

# Prints the path of a Chromium that starts. Debian has it as a package; on Ubuntu it is a snap, which can not be run
# everywhere.
find_browser() {
	local name
	for name in chromium chromium-browser google-chrome; do
		if command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then
			command -v "$name"
			return
		fi
	done
	return 1
}

# make, with the bpftool that works here.
run_make() {
	local bpftool
	bpftool=$(find_tool bpftool) || die "no bpftool that works: sudo scripts/setup"
	make -C "$root" -j"$(nproc)" BPFTOOL="$bpftool" "$@"
}
