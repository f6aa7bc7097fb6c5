# SPDX-License-Identifier: MIT
# Out-of-tree build into build/. V=1 shows the commands, SAN=1 builds with ASan and UBSan into
# build/san, DEBUG=1 without optimisation. Tools can be overridden: CC, CLANG, BPFTOOL, PKG_CONFIG.
# ARCH=aarch64 builds for another machine into build/aarch64, with clang and the headers and libraries
# that scripts/fetch-sysroot has unpacked into SYSROOT; the program is linked statically.
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
CC := gcc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
# Ubuntu's /usr/sbin/bpftool is a wrapper that refuses foreign kernels; the real one lies below /usr/lib.
BPFTOOL ?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool /usr/lib/linux-tools-*/bpftool \
	/usr/sbin/bpftool /sbin/bpftool) $(shell command -v bpftool 2>/dev/null))
HOST_ARCH := $(shell uname -m)
ARCH := $(HOST_ARCH)
CROSS := $(filter-out $(HOST_ARCH),$(ARCH))
BPF_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(ARCH)))

V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

B ?= build$(if $(CROSS),/$(ARCH))$(if $(filter 1,$(SAN)),/san)
# Debian has no static libraries of what its libmicrohttpd needs (GnuTLS, p11-kit): no `serve` in a static program.
HTTP ?= $(if $(CROSS),0,1)
PKGS := libbpf libelf capstone jansson sqlite3 zlib ncursesw $(if $(filter 1,$(HTTP)),libmicrohttpd libseccomp)
WARN := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla
# -O1 with sanitizers: a third less time to build, and the tests take no longer.
CFLAGS ?= $(if $(filter 1,$(DEBUG)),-O0,$(if $(filter 1,$(SAN)),-O1,-O2)) -g
comma := ,
SANFLAGS := $(if $(filter 1,$(SAN)),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) $(SANFLAGS) -D_GNU_SOURCE -DCOWTRACE_VERSION='"$(VERSION)"' \
	$(if $(CROSS),-DCT_STATIC) -Iinclude -Iuser -I$(B)/gen $(shell $(PKG_CONFIG) --cflags $(PKGS)) -MMD -MP
# capstone is loaded when it is needed (user/base/capstone.c), but not into a static program.
LIBS = $(shell $(PKG_CONFIG) $(if $(CROSS),--static) --libs $(if $(CROSS),$(PKGS),$(filter-out capstone,$(PKGS))))
MULTIARCH := $(if $(CROSS),$(ARCH)-linux-gnu,$(shell $(CC) -dumpmachine))
BPF_CFLAGS = -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Wall -Wextra -Werror \
	-Wno-unused-parameter -Iinclude -Ibpf -I$(SYSROOT)/usr/include/$(MULTIARCH) -MMD -MP

ifneq ($(CROSS),)
SYSROOT ?= build/sysroot-$(ARCH)
GCC_DIR := $(firstword $(wildcard $(SYSROOT)/usr/lib/gcc/$(MULTIARCH)/*))
CC := $(CLANG) --target=$(MULTIARCH) --sysroot=$(SYSROOT)
PKG_CONFIG := PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/$(MULTIARCH)/pkgconfig PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) $(PKG_CONFIG)
# The tables of CPython name what differs from the version before.
WARN += -Wno-initializer-overrides -Wno-string-plus-int
LDFLAGS += -fuse-ld=lld -B$(GCC_DIR) -L$(GCC_DIR) -L$(SYSROOT)/usr/lib/$(MULTIARCH)
PROGRAM_LDFLAGS := -static
endif

SRCS := $(filter-out $(if $(filter 1,$(HTTP)),user/serve/without_http.c,user/serve/http.c user/serve/http_%.c user/serve/jail.c), \
	$(wildcard user/*.c user/*/*.c))
LIB_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out user/main.c,$(SRCS)))
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
HOST := $(patsubst tests/bpf_host/%.c,$(B)/tests/bpf_%,$(wildcard tests/bpf_host/test_*.c)) \
	$(patsubst %,$(B)/tests/bpf_direct_%,evidence pytype pyunwind pyunwind_again pyunwind_function pyunwind_id pyunwind_thread witness)
TARGETS := $(patsubst tests/targets/%.c,$(B)/targets/%,$(wildcard tests/targets/*.c)) \
	$(patsubst tests/targets/lib/%.c,$(B)/targets/%.so,$(wildcard tests/targets/lib/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all
all: $(B)/cowtrace $(if $(CROSS),,$(B)/cowtrace.8)

# --- the BPF object and its skeleton -------------------------------------------------------------

$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

# The same programs for kernels before 5.15: see bpf/task.bpf.h.
$(B)/bpf/legacy.bpf.o: bpf/cowtrace.bpf.c
	@mkdir -p $(@D)
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -DCT_LEGACY -c $< -o $@

# The same programs with reads through the kernel's own map of memory: see bpf/direct.bpf.h.
$(B)/bpf/direct.bpf.o: bpf/cowtrace.bpf.c
	@mkdir -p $(@D)
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -DCT_DIRECT -c $< -o $@

$(B)/bpf/directmap.bpf.o: BPF_CFLAGS += -DCT_DIRECT -DCT_DIRECT_BY_HELPER

$(B)/gen/%.skel.h: $(B)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

# user/capture/programs.c relies on it that the variables of all builds lie at the same places.
$(B)/gen/builds.ok: $(B)/gen/cowtrace.skel.h $(B)/gen/legacy.skel.h $(B)/gen/direct.skel.h
	$(Q)for i in cowtrace legacy direct; do sed -n "s/$${i}__/x__/;/struct x__[a-z]* {/,/}/p" $(B)/gen/$$i.skel.h > $(B)/gen/$$i.vars; done
	$(Q)diff $(B)/gen/cowtrace.vars $(B)/gen/legacy.vars && diff $(B)/gen/cowtrace.vars $(B)/gen/direct.vars && touch $@

$(B)/gen/syscalls.inc:
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)printf '#include <sys/syscall.h>\n' | $(CC) -dM -E - | \
		sed -n '/__NR_syscalls\|__NR_arch_specific_syscall/d; s/^#define __NR_\([a-z0-9_]*\) .*/[__NR_\1] = "\1",/p' | \
		sort > $@

$(patsubst %.c,$(B)/%.o,$(wildcard user/capture/*.c)): $(B)/gen/builds.ok
$(B)/user/capture/symbols.o: $(B)/gen/ksym.skel.h
$(B)/user/capture/direct.o: $(B)/gen/directmap.skel.h
$(B)/user/proc/syscalls.o: $(B)/gen/syscalls.inc

# What the flame graph and recordings carry within them, as strings of C.
$(B)/gen/%.inc: user/sink/%
	$(text-to-c)
$(B)/gen/%.inc: user/store/%
	$(text-to-c)
define text-to-c
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $< > $@
endef

$(B)/user/sink/html.o: $(B)/gen/html.css.inc $(B)/gen/html.js.inc
$(B)/user/sink/flamegraph.o: $(B)/gen/flamegraph.css.inc $(B)/gen/flamegraph.js.inc
$(B)/user/store/file.o: $(B)/gen/schema.sql.inc

# --- the program ---------------------------------------------------------------------------------

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

$(B)/libcowtrace.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/cowtrace: $(B)/user/main.o $(B)/libcowtrace.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $(PROGRAM_LDFLAGS) $(SANFLAGS) $^ -o $@ $(LIBS)

$(B)/cowtrace.8: user/cowtrace.8.in scripts/gen-docs $(B)/cowtrace
	$(call say,MAN,$@)
	$(Q)scripts/gen-docs --man $(B)/cowtrace > $@

# --- tests ---------------------------------------------------------------------------------------

$(B)/tests/%: tests/unit/%.c $(B)/libcowtrace.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit $< $(B)/libcowtrace.a -o $@ $(LIBS) -lcmocka

# The BPF modules as user code; tests/bpf_host/bpf stands in for libbpf's headers. BPF on x86-64 may read words
# that are not aligned.
$(B)/tests/bpf_%: tests/bpf_host/%.c $(B)/libcowtrace.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-unused-parameter -Wno-unused-function -Wno-missing-prototypes \
		$(if $(SANFLAGS),-fno-sanitize=alignment) -Itests/bpf_host -Ibpf $< $(B)/libcowtrace.a -o $@ \
		$(LIBS) -lcmocka

# The same once more, by way of the kernel's map of memory: bpf/direct.bpf.h.
$(B)/tests/bpf_direct_%: tests/bpf_host/test_%.c $(B)/libcowtrace.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -DCT_DIRECT -Wno-unused-parameter -Wno-unused-function -Wno-missing-prototypes \
		$(if $(SANFLAGS),-fno-sanitize=alignment) -Itests/bpf_host -Ibpf $< $(B)/libcowtrace.a -o $@ \
		$(LIBS) -lcmocka

# Walks the stacks of this machine's interpreters once, for tests of those that have none: tests/recorded.
$(B)/record: tests/recorded/record.c $(B)/libcowtrace.a
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-unused-parameter -Wno-unused-function -Wno-missing-prototypes \
		-Itests/bpf_host -Itests/unit -Ibpf $< $(B)/libcowtrace.a -o $@ $(LIBS) -lcmocka

# Files for the programs that read them: tests/web, tests/e2e/test_pprof.py.
$(B)/render: tests/web/render.c $(B)/libcowtrace.a
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit $< $(B)/libcowtrace.a -o $@ $(LIBS)

.PHONY: record
record: $(B)/record
	$(B)/record tests/recorded

$(B)/targets/%: tests/targets/%.c
	@mkdir -p $(@D)
	$(call say,TARGET,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE $(LDFLAGS) $< -o $@ -pthread

$(B)/targets/%.so: tests/targets/lib/%.c
	@mkdir -p $(@D)
	$(call say,TARGET,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE $(LDFLAGS) -shared -fPIC $< -o $@ -pthread

build/fuzz/%: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(CLANG) -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -D_GNU_SOURCE -Iinclude -Iuser \
		$< $(shell sed -n 's,^// link: ,,p' $<) -o $@

build/fuzz/fuzz_store: build/gen/schema.sql.inc

.PHONY: units units-user units-bpf targets fuzzers
units: units-user units-bpf
units-user: $(UNIT)
units-bpf: $(HOST)
targets: $(TARGETS)
fuzzers: $(FUZZ)

.PHONY: test demo bench workloads lab check matrix verifier vm vm-systemd bench-vm vm-arm64
test demo bench workloads lab:
	scripts/$@
matrix: all targets
	scripts/matrix
# How much the verifier of this kernel has to do. Needs root.
verifier: all
	tests/vm/verifier
vm: all targets
	tests/vm/run $(KERNELS)
# The unit of scripts/deploy, started by a real systemd in a guest.
vm-systemd: all targets
	tests/vm/systemd $(KERNEL)
# Instructions for a page, counted in a guest: what takes more is seen without a clock.
bench-vm: all targets
	tests/vm/count $(KERNELS)
# Slow: not part of scripts/test.
vm-arm64:
	scripts/fetch-sysroot aarch64 build
	$(MAKE) ARCH=aarch64 all targets
	ARCH=aarch64 tests/vm/run $(KERNELS)
check: all
	scripts/check

# --- install -------------------------------------------------------------------------------------

.PHONY: install uninstall clean
install: all
	install -D -m 755 $(B)/cowtrace $(DESTDIR)$(PREFIX)/bin/cowtrace
	install -D -m 644 $(B)/cowtrace.8 $(DESTDIR)$(PREFIX)/share/man/man8/cowtrace.8
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/cowtrace $(DESTDIR)$(PREFIX)/share/man/man8/cowtrace.8
clean:
	rm -rf build

-include $(LIB_OBJS:.o=.d) $(B)/user/main.d $(B)/bpf/cowtrace.bpf.d $(B)/bpf/legacy.bpf.d $(B)/bpf/direct.bpf.d \
	$(B)/bpf/directmap.bpf.d $(B)/bpf/ksym.bpf.d $(UNIT:=.d) $(HOST:=.d) \
	$(B)/record.d $(B)/render.d $(TARGETS:=.d)
