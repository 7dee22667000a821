# `make` alone prints the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help deps fmt lint check quick edge test chaos audit up bench instructions start-order clean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install the Debian packages that are missing (as root or with sudo; without either, print their names)
	@.ci/deps

fmt: ## format the sources
	cargo fmt
	cd fastly && cargo fmt

lint: ## formatting and lints
	@.ci/compose
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cd fastly && cargo fmt --check
	cd fastly && cargo clippy --all-targets --features compute --locked -- -D warnings

check: ## formatting, lints, unit and API tests: what to run before each commit
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	@$(MAKE) --no-print-directory quick

# Most of these tests wait for a timer or a server, so many of them run at a time. Tests begin in the order of their names: two of those
# that wait longest would begin last, so they run beside the others. The tests of floods and backlogs measure memory, time and turns, so
# they run alone.
LONGEST := streams::a_quiet_stream verify::strangers
ALONE := flood:: backlog::
quick:
	cargo test --locked --lib --bins -- --test-threads=16
	cargo test --locked --test api --no-run
	@cargo test --locked --test api -- --test-threads=8 $(LONGEST) & longest=$$!; failed=0; \
	  cargo test --locked --test api -- --test-threads=32 $(addprefix --skip ,$(LONGEST) $(ALONE)) || failed=1; \
	  wait $$longest || failed=1; exit $$failed
	cargo test --locked --test api -- $(ALONE)

edge: ## the program for Fastly's edge: fastly/bin/main.wasm
	@fastly/build

# Building Viceroy takes some ten minutes where it is not installed yet. It is built beside the lints and the build of the tests, and
# must be there before the tests begin, as a busy machine would disturb them.
test: deps ## everything: packages, formatting, lints, all tests with the real servers
	@.ci/viceroy >/dev/null 2>&1 &
	@$(MAKE) --no-print-directory lint
	cd fastly && cargo test --locked
	@$(MAKE) --no-print-directory edge
	cargo test --locked --no-run
	@.ci/schemathesis
	@.ci/viceroy
	@$(MAKE) --no-print-directory quick
	cargo test --locked --doc
	cargo test --locked --test browser --test chaos --test e2e --test model --test store -- --skip scenarios::
	cargo test --locked --test chaos scenarios:: -- --skip pressure:: --test-threads=6
	cargo test --locked --test chaos pressure::

chaos: deps ## random faults for CHAOS_SECONDS (600) from CHAOS_SEED; then proxies and caches that are away for PRESSURE_SECONDS (60)
	CHAOS_SECONDS=$${CHAOS_SECONDS:-600} cargo test --locked --test chaos mixed -- --nocapture --test-threads=3
	PRESSURE_SECONDS=$${PRESSURE_SECONDS:-60} cargo test --locked --test chaos pressure -- --nocapture

audit: ## licences, sources and known faults of the dependencies (needs cargo-deny: cargo install --locked cargo-deny)
	cargo deny check
	cargo deny --manifest-path fastly/Cargo.toml --config deny.toml --target wasm32-wasip1 --features compute \
	  check -A license-not-encountered

up: ## the whole chain on this machine without Docker; Ctrl-C ends it. EDGE=1 or FRONT=1: with the edge program or HAProxy in front
	@.ci/deps up $(if $(FRONT),front) $(if $(EDGE),edge)
	@.ci/up

bench: ## the side-by-side measurements, as a table
	@.ci/deps bench
	cargo bench --locked --bench livecounter

instructions: ## the instructions per request, counted by valgrind: BINARIES="before after" to compare two; BENCH_REQUESTS (2000)
	@.ci/deps bench
	tests/bench/instructions.py $(BINARIES)

start-order: ## write src/start.ld anew: the functions that an idle process runs, which the linker puts beside each other
	@.ci/deps bench
	tests/bench/start_order.py

clean: ## remove what was built
	cargo clean
	cd fastly && cargo clean
	rm -rf fastly/bin fastly/pkg
