# make run   sets everything up, builds, and shows dsv at work on fixtures/sample
# make test  sets everything up, builds, and runs every test
# make help  lists the rest

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Two builds at a time: a Swift compiler process may take 1 GB.
JOBS ?= 2
# Tests that run at once. Swift Testing begins all of them otherwise, and what one of them starts waits for the threads of the rest.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 2
PREFIX ?= /usr/local
DESTDIR ?=
MOTO := $(shell sed -n 's/^moto.*==//p' Tests/requirements.txt)
PACKAGES := liblmdb-dev libzstd-dev libssl-dev libcurl4-openssl-dev libxxhash-dev libsimdjson-dev pkg-config
SOURCES := Sources Tests Package.swift
BUILD := swift build -j $(JOBS)
# With Swift's libraries in the binary: it starts in half the time, and runs where there is no toolchain.
RELEASE := $(BUILD) -c release --static-swift-stdlib
DSV := .build/release/dsv

.PHONY: help setup setup-tests build run test test-encrypted lint format bench bench-smoke bench-peers bench-cipher bench-growth power-loss traffic torture full-disk damage transfers test-s3 tsan asan fuzz man completions install clean

help: ## list the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
	  printf '  %-12s %s\n' "$$name" "$$text"; done

setup: ## install the Debian packages that are missing
	@missing=(); for package in $(PACKAGES); do \
	  dpkg-query -W -f '$${Status}' "$$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$$package"); done; \
	command -v swift >/dev/null || { echo 'no Swift toolchain: install Swift 6.3 from swift.org' >&2; exit 1; }; \
	[ $${#missing[@]} -eq 0 ] && exit 0; \
	echo "installing: $${missing[*]}"; \
	as_root=(); [ "$$(id -u)" -eq 0 ] || as_root=(sudo); \
	"$${as_root[@]}" apt-get update -qq; \
	"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}"

# Into the python3 that tests run; nothing happens where all of it is there.
setup-tests: ## install the Python packages that tests need and that are missing
	@python3 -c "import boto3, botocore, cryptography, moto.server as _, moto; assert moto.__version__ == '$(MOTO)'" 2>/dev/null && exit 0; \
	as_root=(); [ "$$(id -u)" -eq 0 ] || as_root=(sudo); \
	python3 -m pip --version >/dev/null 2>&1 || { "$${as_root[@]}" apt-get update -qq; \
	  "$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-pip; }; \
	echo 'installing: what Tests/requirements.txt names'; \
	PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore -r Tests/requirements.txt

build: setup ## build the command, optimized
	$(RELEASE) --product dsv

run: build ## show dsv at work on fixtures/sample
	@fixtures/sample/tour.sh $(DSV)

test: setup setup-tests ## build and run every test
	swift test -j $(JOBS)

test-encrypted: setup setup-tests ## run what tests stores and repositories on encrypted ones
	$(BUILD) --build-tests
	DSV_TEST_ENCRYPTED=1 swift test --skip-build --filter DSVStoreTests --filter DSVTests

power-loss: setup ## play power cuts at a recorded workload; STATES=n says how many
	$(BUILD) --build-tests
	DSV_POWER_STATES=$(or $(STATES),20000) nice swift test --skip-build --filter PowerLossTests

traffic: setup ## processes append, read and collect for SECONDS=n
	$(BUILD) --build-tests
	DSV_TRAFFIC_SECONDS=$(or $(SECONDS),60) swift test --skip-build --filter ManyProcessesTests

torture: setup ## kill commands that work at one repository at once; ROUNDS=n
	$(BUILD) --build-tests
	DSV_TORTURE_ROUNDS=$(or $(ROUNDS),10000) swift test --skip-build --filter TortureTests

full-disk: setup ## run commands on a disk with 0, 4096, 8192, ... bytes free; STEP=n
	$(BUILD) --build-tests
	DSV_DISK_STEP=$(or $(STEP),4096) nice swift test --skip-build --filter FullDiskTests

damage: setup ## flip each byte, cut each length of small repositories (3 h); FILES=packs SUBJECTS="plain encrypted remote" name some
	$(BUILD) --build-tests
	DSV_DAMAGE_FILES=$(FILES) DSV_DAMAGE_SUBJECTS="$(SUBJECTS)" nice swift test --skip-build --filter CrashTests.DamageTests

CEPH := ceph-mon ceph-osd ceph-common radosgw
WRITERS = DSV_TRANSFER_COMMITS=$(or $(COMMITS),$(1)) DSV_S3_COMMITS=$(or $(COMMITS),$(1))
transfers: setup setup-tests ## random histories on several clones, also through a bucket that fails, of ROUNDS=n pushes and pulls; 8 writers of COMMITS=n each
	$(BUILD) --build-tests
	DSV_TRANSFER_ROUNDS=$(or $(ROUNDS),1000) DSV_TRANSFER_KILLS=50 $(call WRITERS,20) nice swift test --skip-build --filter 'DSVTransferTests|TransferKillTests'

test-s3: setup setup-tests ## run the tests of remotes against Ceph's S3, a real server; ROUNDS=n and COMMITS=n as for transfers; as root, in a machine to throw away
	@dpkg-query -W $(CEPH) >/dev/null 2>&1 || { apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(CEPH); }
	$(BUILD) --build-tests
	DSV_TRANSFER_ROUNDS=$(or $(ROUNDS),40) $(call WRITERS,3) Tests/DSVRemoteTests/Support/rgw.sh swift test --skip-build --filter 'DSVRemoteTests|S3TransferTests'

tsan: setup ## run what runs in one process under the thread sanitizer; SUITES="DSVTests" narrows it
	$(BUILD) --build-tests --sanitize thread --scratch-path .build-tsan
	clang -shared -fPIC -O1 -o .build-tsan/mutex.so Tests/Sanitizers/mutex.c
	LD_PRELOAD=$(CURDIR)/.build-tsan/mutex.so $(SANITIZED)

asan: setup ## and under the address sanitizer
	$(BUILD) --build-tests --sanitize address --scratch-path .build-asan
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/leaks.txt $(SANITIZED)

SANITIZED = nice swift test --skip-build --sanitize $(if $(filter tsan,$@),thread,address) --scratch-path .build-$@ \
  --no-parallel $(addprefix --filter ,$(or $(SUITES),DSVStoreTests DSVColumnsTests DSVTests DSVRecordsTests))

FUZZ_BUILD = $(BUILD) -c release --scratch-path .build-fuzz --product DSVFuzzer \
  -Xswiftc -sanitize=fuzzer,address -Xswiftc -DFUZZING -Xswiftc -use-ld=lld
FUZZ_TARGETS = $(notdir $(wildcard fixtures/fuzz/*[a-zA-Z]))
fuzz: setup ## give each reader made-up bytes, SECONDS=n each; TARGETS="csv node" names some
	$(FUZZ_BUILD)
	@for target in $(or $(TARGETS),$(filter-out README.md,$(FUZZ_TARGETS))); do \
	  mkdir -p .build-fuzz/corpus/$$target .build-fuzz/found; \
	  DSV_FUZZ_TARGET=$$target nice "$$($(FUZZ_BUILD) --show-bin-path)/DSVFuzzer" -max_total_time=$(or $(SECONDS),60) -rss_limit_mb=3000 \
	    -timeout=20 -close_fd_mask=1 -artifact_prefix=.build-fuzz/found/$$target- .build-fuzz/corpus/$$target fixtures/fuzz/$$target \
	    2> .build-fuzz/$$target.log || { tail -40 .build-fuzz/$$target.log; exit 1; }; \
	  printf '%-12s %s\n' $$target "$$(grep -a '^Done' .build-fuzz/$$target.log)"; done

lint: ## check the format
	swift format lint --strict -r $(SOURCES)

format: ## put the format right
	swift format format -i -r $(SOURCES)

bench: setup ## measure at full size; ARGS="--only NAME --corpus FILE" narrows it
	$(RELEASE) --product DSVBench
	.build/release/DSVBench --full $(ARGS)

bench-smoke: setup ## run each benchmark once, small
	$(RELEASE) --product DSVBench
	.build/release/DSVBench --smoke $(ARGS)

bench-peers: build ## compare with other systems; ARGS="--corpus FILE.jsonl" names the rows
	$(RELEASE) --product DSVBench
	python3 bench/peers.py $(ARGS)

bench-cipher: setup ## hold the cipher against openssl's and Python's
	$(RELEASE) --product DSVBench
	python3 bench/cipher.py

bench-growth: setup ## what works cost as a table grows; ROWS="100000 1000000" names its sizes; ROWS=--rotate for key rotate
	$(RELEASE) --product DSVBench
	python3 bench/growth.py $(ROWS)

man: setup ## write the manual pages to .build/man
	mkdir -p .build/man
	swift package --allow-writing-to-directory .build/man generate-manual --output-directory .build/man --multi-page

completions: build ## write shell completions to .build/completions
	mkdir -p .build/completions
	$(DSV) --generate-completion-script bash > .build/completions/dsv
	$(DSV) --generate-completion-script zsh > .build/completions/_dsv
	$(DSV) --generate-completion-script fish > .build/completions/dsv.fish

install: build man completions ## install under PREFIX (/usr/local)
	install -D -m 755 $(DSV) $(DESTDIR)$(PREFIX)/bin/dsv
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 .build/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -D -m 644 .build/completions/dsv $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dsv
	install -D -m 644 .build/completions/_dsv $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_dsv
	install -D -m 644 .build/completions/dsv.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/dsv.fish

clean: ## delete what was built
	rm -rf .build
