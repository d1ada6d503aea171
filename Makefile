# SPDX-License-Identifier: ISC
# A thin front to meson. `make demo` and `make test` install what they need (tools/packages).

PREFIX ?= /usr/local
BUILD ?= build
MESON_OPTIONS ?=

.PHONY: all demo test unit system check-slow faults torture crash-states install check-asan check-valgrind check-static fuzz deb check-deb check-arm64 packages clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/packages build
	meson setup $(BUILD) --prefix=$(PREFIX) $(MESON_OPTIONS)

# Two nodes, a private tor network, real mail: see demo/README.md.
demo:
	@tools/packages build run demo
	@$(MAKE) --no-print-directory all
	@demo/demo

# Everything; ends with the line "N passed, N failed".
test:
	@tools/packages build run demo test
	@$(MAKE) --no-print-directory all
	@tools/run-tests --build $(BUILD)

# Only the unit tests; only the system tests (T='-k pattern' picks some).
unit: all
	@tools/run-tests --build $(BUILD) --unit
system: all
	@tools/run-tests --build $(BUILD) --system $(T)

# The system tests that take minutes: very large messages, many identities, a thousand kills, a tor killed a hundred times; without T all
# failing calls as well.
check-slow: all
	@tools/packages build run demo test
	@tools/run-tests --build $(BUILD) --slow $(T)
	@$(if $(T),true,$(MAKE) --no-print-directory faults)

# N processes of two nodes under load are killed, and every message counted. SEED: the plan of another run, again.
N ?= 1000
SEED ?=
torture: all
	@tools/packages build run demo test
	@tests/torture/run --build $(BUILD) --kills $(N) $(if $(SEED),--seed $(SEED))

# Cuts the power at N moments of runs of a mail store, and looks whether the mail is there. SEED: another one than the time.
crash-states: N = 10000
crash-states: all
	nice $(BUILD)/tests/crash/crash-states --states $(N) $(if $(SEED),--seed $(SEED))
	nice $(BUILD)/tests/crash/crash-states --each-sync --states 3000 $(if $(SEED),--seed $(SEED))

# Every system call of a delivery fails once, with each error that it may have; goes on where it was stopped (ONLY=received/mail: only that).
faults: all
	@tools/packages build run demo test
	@tests/faults/sweep --build $(BUILD) --state $(BUILD)/faults.state $(if $(ONLY),--only $(ONLY))

install: all
ifneq ($(origin PREFIX),file)
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	ninja -C $(BUILD)
endif
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

# The unit tests, and whole nodes passing mail, under AddressSanitizer and UndefinedBehaviorSanitizer.
check-asan:
	@tools/packages build run demo test
	@test -f build-asan/build.ninja || meson setup build-asan -Db_sanitize=address,undefined -Dbuildtype=debugoptimized
	ninja -C build-asan
	@tools/run-tests --build build-asan --sanitized

# Leaks are AddressSanitizer's to find: children that a test kills on purpose would count here.
check-valgrind: all
	@tools/packages build test
	@tools/run-tests --build $(BUILD) --unit --wrap 'valgrind -q --error-exitcode=9 --leak-check=no --suppressions=$(CURDIR)/tests/valgrind.supp'

# cppcheck, clang-tidy and clang's analyzer over all of the code; takes minutes. Ends with the line "clean". FILES: only these.
check-static:
	@tools/packages build static
	@test -f build-static/build.ninja || CC=clang meson setup build-static
	@tools/check-static $(FILES)

# Coverage-guided fuzzing, TIME seconds for each parser.
TIME ?= 60
fuzz:
	@tools/packages build fuzz
	@test -f build-fuzz/build.ninja || CC=clang meson setup build-fuzz -Dfuzz=true -Db_lundef=false -Db_sanitize=address,undefined
	ninja -C build-fuzz
	@tools/run-fuzzers build-fuzz $(TIME)

# Debian packages of this tree, in build/deb/.
deb:
	@tools/packages build deb
	@tools/build-deb build/deb

# Installs, upgrades, removes and purges them in chroots, and runs the services by a systemd in namespaces. Needs root, a
# Debian mirror and some minutes.
check-deb: deb
	@tools/packages check-deb chroot
	@tests/package/test-in-chroot build/deb

# Cross-compiles for arm64 in a chroot of its own, and runs the unit tests there under qemu-user. As root, too.
check-arm64:
	@tools/packages chroot
	@tests/arm64/test-in-chroot

packages:
	@tools/packages build run demo test

clean:
	rm -rf build build-asan build-fuzz build-static
