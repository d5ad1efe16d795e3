# Two commands are all a newcomer needs: `make demo` and `make test`. Both install or name what is missing first.
# The work behind the targets is in `cargo xtask` (Rust) and xtask/setup.sh (what must be there before Rust can build).
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS   += --no-print-directory

STAMPS    := target/setup
HOLDPOINT := target/debug/holdpoint
CARGO     := cargo
# Fifths of the full soak: 5 is all of it, 1 is what continuous integration runs.
SHARE     ?= 5
ARGS      ?=

.PHONY: help setup packages page build demo test lint format soak conformance bench fuzz fresh kill-points proxy-survives mutants rows

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 24

# ---- set-up: every step leaves a stamp, so a warm run costs nothing ----

setup: packages page build ## Install what is missing, build the page and the binary

packages: $(STAMPS)/packages

# The script looks for programs, not for the stamp's age: the stamp only saves the look while the script is unchanged.
$(STAMPS)/packages: xtask/setup.sh
	@mkdir -p $(STAMPS)
	@bash xtask/setup.sh
	@touch $@

tests/browser/node_modules/.package-lock.json: tests/browser/package-lock.json | packages
	@cd tests/browser && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/node_modules/.package-lock.json: web/package-lock.json | packages
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

PAGE_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print 2>/dev/null)

web/dist/index.html: $(PAGE_SOURCES) web/node_modules/.package-lock.json
	@cd web && npm run --silent build
	@touch $@

page: web/dist/index.html

# The whole workspace: with one package alone its dependencies would have other features, and the tests would build them
# all again.
build: packages page
	@$(CARGO) build --workspace --bins --locked

# ---- what people run ----

demo: setup ## A shop released three times: approved, promoted, rolled back
	@$(HOLDPOINT) demo $(ARGS)

test: setup tests/browser/node_modules/.package-lock.json ## All tests; prints the 10 slowest and what was skipped
	@$(CARGO) xtask test $(ARGS)

lint: setup ## Format, clippy, tidy (with its self-test), licences, page
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets --quiet -- --deny warnings
	@$(CARGO) xtask tidy --self-test
	@$(CARGO) xtask tidy
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --log-level warn check bans licenses sources; fi
	@cd web && npm run --silent lint

format: ## Format the Rust sources
	@$(CARGO) fmt --all

soak: setup tests/browser/node_modules/.package-lock.json ## 10,000 seeds and 1,000 kills; SHARE=1 runs a fifth
	@HOLDPOINT_SEEDS=$$((2000 * $(SHARE))) HOLDPOINT_KILLS=$${KILLS:-$$((200 * $(SHARE)))} $(CARGO) xtask test --only soak

conformance: setup ## External corpora, where present (HOLDPOINT_CORPORA=DIR)
	@$(CARGO) xtask test --only conformance

fuzz: setup ## Seeded byte-level fuzzing of every reader (HOLDPOINT_FUZZ_SECONDS each, default 60)
	@HOLDPOINT_FUZZ_SECONDS=$${HOLDPOINT_FUZZ_SECONDS:-60} $(CARGO) xtask test --only fuzz

kill-points: setup ## Kill the server at every named durable step; an unvisited name fails
	@HOLDPOINT_KILL_MATRIX=$${HOLDPOINT_KILL_MATRIX:-full} $(CARGO) xtask test --only kill_points

proxy-survives: setup ## Kill the server, then the proxy, under load
	@$(CARGO) xtask test --only proxy_survives

bench: setup ## Side by side with other programs; JOB=name runs one (bench/NAME/run.py)
	@for job in $(if $(JOB),bench/$(JOB)/run.py,$(wildcard bench/*/run.py)); do python3 $$job; done

fresh: ## Clone into a temporary folder and run both README commands there
	@$(CARGO) xtask fresh $(ARGS)

mutants: setup tests/browser/node_modules/.package-lock.json ## Take checks out one at a time; the named tests must fail
	@$(CARGO) xtask mutants $(ARGS)

rows: ## Which capability rows work, from the last test run's own report
	@$(CARGO) xtask rows
