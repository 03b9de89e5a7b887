# millrace: `make run` starts a development server, `make test` is everything that must hold before a merge.
BUILD ?= build
JOBS ?= $(shell nproc)

.PHONY: run test build deps deps-test check asan tsan unit clients quick-clients crash sim fuzz bench bench-full mutants clean

run: build            ## install what is missing, build, start on loopback
	$(BUILD)/release/millrace serve

build: deps
	@cmake --preset release >/dev/null
	@cmake --build $(BUILD)/release -j $(JOBS)

deps:                 ## compiler and libraries, from Debian's packages, only if missing
	@tools/deps.sh build
deps-test:
	@tools/deps.sh test

test: deps-test build ## what CI runs
	@tools/test.sh

check: deps-test      ## layers, format, unit tests: a minute
	@tools/test.sh check

unit: build
	@ctest --test-dir $(BUILD)/release --output-on-failure -j $(JOBS)
asan: deps-test
	@tools/test.sh asan
tsan: deps-test
	@tools/test.sh tsan
sim: deps-test build  ## make sim [SEED=n] [SEEDS=n] [STEPS=n]
	@tools/test.sh sim
crash: deps-test build
	@tools/test.sh crash
clients: deps-test build ## every official client, unpatched
	@python3 test/clients/run.py --millrace $(BUILD)/release/millrace
fuzz: deps-test       ## make fuzz T=json SECONDS=60
	@tools/test.sh fuzz
bench: deps-test build
	@python3 bench/run.py --millrace $(BUILD)/release/millrace --out bench/results.json --doc doc/benchmarks.md
bench-full: deps-test build
	@python3 bench/run.py --full --millrace $(BUILD)/release/millrace --out bench/results.json --doc doc/benchmarks.md
clean:
	rm -rf $(BUILD)
