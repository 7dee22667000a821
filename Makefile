# `make` alone says what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help deps fmt lint test chaos audit up bench clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install the Debian packages that are missing (root or sudo; else says which)
	@.ci/deps

fmt: ## format the sources
	cargo fmt

lint: ## formatting and lints
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

test: deps lint ## everything: packages, formatting, lints, all tests with the real servers
	cargo test --locked -- --skip scenarios::
	cargo test --locked --test chaos scenarios:: -- --skip pressure:: --test-threads=8
	cargo test --locked --test chaos pressure::

chaos: deps ## all faults mixed: CHAOS_SECONDS (600), CHAOS_SEED; outlets away: PRESSURE_SECONDS (60)
	CHAOS_SECONDS=$${CHAOS_SECONDS:-600} cargo test --locked --test chaos mixed -- --nocapture
	PRESSURE_SECONDS=$${PRESSURE_SECONDS:-60} cargo test --locked --test chaos pressure -- --nocapture

audit: ## licences and known faults of the dependencies (needs cargo-deny)
	cargo deny check

up: deps ## the whole chain on this machine without Docker; Ctrl-C ends it
	@.ci/up

bench: ## the side-by-side measurements, as a table
	@.ci/deps bench
	cargo bench --locked --bench livecounter

clean: ## remove what was built
	cargo clean
