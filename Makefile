# millrace: `make run` starts a development server, `make test` is everything that must hold before a merge.
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
binary := build/release/millrace
run_tests := JOBS=$(JOBS) tools/test.sh

.PHONY: sim-nightly run build install deps deps-test test check unit clang asan tsan sanitized valgrind tidy sim mutants crash power-loss disk hostile container clients quick-clients fuzz \
	arm64 bench bench-full clean help

run: build            ## install what is missing, build, start on loopback
	$(binary) serve

build: deps           ## the program, in build/release
	@mkdir -p build
	@cmake --preset release >build/release.log || { cat build/release.log; exit 1; }
	@cmake --build build/release -j $(JOBS) --target millrace

install: build        ## into $(DESTDIR)$(PREFIX): the program and its systemd unit
	install -D -m 755 $(binary) $(DESTDIR)$(PREFIX)/bin/millrace
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' dist/millrace.service | install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/lib/systemd/system/millrace.service

deps:                 ## compiler and libraries, from Debian's packages, only what is missing
	@tools/deps.sh build
deps-test:            ## and what the tests need beside them
	@tools/deps.sh test

test: deps-test build ## what CI runs
	@$(run_tests)
check: deps-test      ## layers, format, unit tests: a minute
	@$(run_tests) check
unit: deps-test       ## unit tests, optimised
	@$(run_tests) build_and_unit
clang: deps-test      ## the other compiler, warnings are errors
	@$(run_tests) clang
asan: deps-test       ## units and the whole program with the address and undefined behaviour sanitizers
	@$(run_tests) asan
tsan: deps-test       ## what has threads, and the whole program, with the thread sanitizer
	@$(run_tests) tsan
sanitized: deps-test  ## both for longer: simulator, kills, power cuts, disks, clients: make sanitized [KILLS=n]
	@$(run_tests) sanitized
valgrind:             ## unit tests and the whole program under memcheck
	@tools/deps.sh valgrind
	@$(run_tests) valgrind
tidy: deps-test       ## clang-tidy over src/
	@$(run_tests) tidy
sim: deps-test        ## the simulator: make sim [SEED=n] [SEEDS=n] [STEPS=n]
	@$(run_tests) build_and_sim
sim-nightly: deps-test build ## ten thousand seeds of ten thousand steps: a quarter of an hour on two cores
	@$(run_tests) sim_nightly
mutants: deps-test    ## each guarantee is taken away once; the tests must notice; writes the table of doc/testing.md
	@$(run_tests) mutants
hostile: deps-test build ## hostile clients against the program
	@$(run_tests) hostile
crash: deps-test build ## kill -9 under load, 100 times: make crash [KILLS=n]
	@$(run_tests) crash
power-loss: deps-test build ## the same with power cuts: what was not synced is lost or torn
	@$(run_tests) power_loss
disk: deps-test build ## disks that are full, failing, read-only or damaged
	@$(run_tests) disk
container:            ## build the image of dist/Containerfile and check it: make container [ENGINE=docker]
	@$(run_tests) container
clients: deps-test build ## every official client, unpatched
	@$(run_tests) clients
quick-clients: deps-test build ## those that `make test` runs
	@$(run_tests) clients_quick
fuzz: deps-test       ## make fuzz [T=json] [SECONDS=60]
	@$(run_tests) fuzz "$(T)" "$(SECONDS)"
arm64:                ## cross-build for arm64, unit tests under qemu
	@tools/deps.sh arm64
	@$(run_tests) arm64

bench: deps-test build ## measure, write doc/benchmarks.md
	@python3 bench/run.py --millrace $(binary) --out bench/results.json --doc doc/benchmarks.md
bench-full: deps-test build ## the same for longer and with more load
	@python3 bench/run.py --full --millrace $(binary) --out bench/results.json --doc doc/benchmarks.md

clean:                ## remove build/
	rm -rf build
help:                 ## print this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
