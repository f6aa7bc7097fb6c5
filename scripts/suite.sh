# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A private apt for another suite of Debian, with the mirror that this machine's apt uses; nothing is installed and
# the machine's own lists stay as they are. Sourced, after lib.sh.

# not_here WHY: ends the script, as what it was asked for can not be had on this machine.
not_here() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 3
}

# suite_open deb|deb-src SUITE TOP WORK [ARCHITECTURE]: what apt knows of the suite is kept below TOP, for all scripts that run
# now and later; what it downloads goes to WORK/cache, of which each has its own (apt locks it).
suite_open() {
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror
	suite=$2
	suite_state=$3/apt/$1-$2${5:+-$5}
	suite_log=$4/apt.log
	suite_since=$4/status
	[ -e $keyring ] || not_here "no Debian archive keyring: this is no Debian"
	# shellcheck disable=SC2016 # $(SITE) is apt's
	mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security |
		grep '/debian/*$' | head -n 1 || true)
	[ -n "$mirror" ] || not_here "apt has no Debian mirror here (apt-get update may help)"

	mkdir -p "$suite_state/lists/partial" "$4/cache/archives/partial"
	: >"$suite_since"
	printf '%s [signed-by=%s] %s %s main\n' "$1" $keyring "$mirror" "$2" >"$4/sources.list"
	suite_options=(-q -o "Dir::Etc::sourcelist=$4/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
		-o "Dir::State::Lists=$suite_state/lists" -o "Dir::Cache=$4/cache" -o "Dir::State::status=$4/status"
		-o Acquire::Languages=none -o APT::Sandbox::User=root)
	[ -z "${5-}" ] || suite_options+=(-o "APT::Architecture=$5" -o "APT::Architectures=$5")
	suite_update || not_here "the mirror has no $2: $(suite_why)"
}

suite_apt() {
	apt-get "${suite_options[@]}" "$@" >"$suite_log" 2>&1
}

# The first error that apt gave.
suite_why() {
	grep '^E:' "$suite_log" | head -n 1 || true
}

# suite_update [again]: fetches the lists, once for all scripts that wait for them.
suite_update() (
	flock 8
	if [ ! -e "$suite_state/fresh" ] ||
		{ [ "${1-}" = again ] && [ "$suite_state/fresh" -ot "$suite_since" ]; }; then
		suite_apt update || exit 1
		touch "$suite_state/fresh"
	fi
) 8>"$suite_state/lock"

# suite_get WHAT APT-ARGUMENTS...: lists that are old name files that are gone.
suite_get() {
	local what=$1
	shift
	suite_apt "$@" || { suite_update again && suite_apt "$@"; } || not_here "$suite has no $what: $(suite_why)"
}

# suite_unpack DIR DEB...: as a root file system with a merged /usr.
suite_unpack() {
	local dir=$1 deb link
	shift
	mkdir -p "$dir"/usr/{bin,sbin,lib,lib64}
	for link in bin sbin lib lib64; do
		[ -e "$dir/$link" ] || ln -s usr/$link "$dir/$link"
	done
	for deb in "$@"; do
		# tar and not dpkg -x: keeps the symbolic links of the merged /usr.
		dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$dir"
	done
}
