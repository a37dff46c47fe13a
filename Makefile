# Every target makes and uses .venv by itself; `make demo` and `make test` are all a newcomer needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PEERS  := $(VENV)/peers
PEERS_READY := $(PEERS)/node_modules/.package-lock.json

C_SOURCES := $(wildcard csrc/[a-z]*.c)
C_HEADERS := $(wildcard csrc/*.h)
C_WARN    := -std=c11 -Wall -Wextra -Wconversion -Wsign-conversion -Werror
C_CHECKED := -fsanitize=address,undefined -fno-sanitize-recover=all
C_SANE    := -O1 -g $(C_CHECKED)
CC        ?= gcc
CROSS     := aarch64-linux-gnu-gcc

.PHONY: demo test lint format bench crash fuzz fuzz-c soak selftest selftest-aarch64 clean

demo: $(READY)
	$(BIN)/baseload demo

test: $(READY) $(PEERS_READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(CC) $(C_WARN) -O3 -fsyntax-only $(C_SOURCES) csrc/fuzz/gate_fuzz.c bench/floor.c

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# BENCH="--row a --seconds 20"; `python -m bench --help` tells the rest.
BENCH ?=
bench: $(READY)
	$(BIN)/python -m bench $(BENCH)

# CRASH_ROUNDS of `kill -9` under load, then the disk filled under load (as root).
CRASH_ROUNDS ?= 100
crash: $(READY)
	$(BIN)/python -m bench.crash --rounds $(CRASH_ROUNDS)

# FUZZ_EXAMPLES per property; CI runs a short form.
FUZZ_EXAMPLES ?= 20000
fuzz: $(READY)
	HYPOTHESIS_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest -m fuzz -p no:cacheprovider

# FUZZ_RUNS inputs through the gate, under libFuzzer, ASan and UBSan. What it found interesting is
# kept in build/fuzz/corpus for the next time.
FUZZ_RUNS ?= 1000000
fuzz-c: build/fuzz/gate_fuzz
	@mkdir -p build/fuzz/corpus
	$(PYTHON) csrc/fuzz/make_seeds.py build/fuzz/seeds
	build/fuzz/gate_fuzz -runs=$(FUZZ_RUNS) -max_len=1024 -dict=csrc/fuzz/gate.dict \
		-print_final_stats=1 -artifact_prefix=build/fuzz/ build/fuzz/corpus build/fuzz/seeds

# SOAK_SECONDS of pool, rigs, reorgs and node failures; then 10,000 rigs following each surplus for a
# day, in every combination of reserve and trim: hours of computing. CI runs a short form of both.
SOAK_SECONDS ?= 900
POWER        ?= --stock
soak: $(READY)
	$(BIN)/python -m bench.soak --seconds $(SOAK_SECONDS)
	$(BIN)/python -m bench.power_table $(POWER)

# The C core by itself: natively under ASan and UBSan, and for 64-bit Arm under qemu.
selftest: build/selftest-sane
	build/selftest-sane

selftest-aarch64: build/selftest-aarch64
	qemu-aarch64-static -cpu max build/selftest-aarch64 armv8

build/selftest-sane: $(C_SOURCES) $(C_HEADERS)
	@mkdir -p build
	$(CC) $(C_WARN) $(C_SANE) -o $@ $(C_SOURCES)

build/selftest-aarch64: $(C_SOURCES) $(C_HEADERS)
	@mkdir -p build
	$(CROSS) $(C_WARN) -O3 -static -o $@ $(C_SOURCES)

# Only what reads the bytes is instrumented for coverage; SHA-256 not at all: it would take most of
# the time, and the self-test runs it under the same sanitizers.
FUZZ_CC      := clang $(C_WARN) -O2 -g
FUZZ_PLAIN   := $(addprefix csrc/,$(addsuffix .c,headers sha256 sha256_portable sha256_x86 \
	sha256_avx2 sha256_armv8))
FUZZ_WATCHED := $(addprefix csrc/,$(addsuffix .c,gate sessions submit_line seen share slots crc32c))
build/fuzz/gate_fuzz: csrc/fuzz/gate_fuzz.c $(FUZZ_PLAIN) $(FUZZ_WATCHED) $(C_HEADERS)
	@mkdir -p build/fuzz/plain
	cd build/fuzz/plain && $(FUZZ_CC) -c $(addprefix $(CURDIR)/,$(FUZZ_PLAIN))
	$(FUZZ_CC) $(C_CHECKED) -c -o build/fuzz/harness.o csrc/fuzz/gate_fuzz.c
	$(FUZZ_CC) $(C_CHECKED) -fsanitize=fuzzer -o $@ $(FUZZ_WATCHED) build/fuzz/harness.o \
		$(patsubst csrc/%.c,build/fuzz/plain/%.o,$(FUZZ_PLAIN))

# Debian's python3 comes without venv and headers: .ci/need installs them or says how.
$(READY): pyproject.toml $(C_SOURCES) $(C_HEADERS) csrc/CMakeLists.txt
	@$(PYTHON) .ci/has-python || .ci/need python3-venv python3-dev
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# A real full node to test against. Its install scripts would fetch binaries: they stay off.
$(PEERS_READY): tests/peers/package.json
	@mkdir -p $(PEERS)
	cp $< $(PEERS)/package.json
	npm install --prefix $(PEERS) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
