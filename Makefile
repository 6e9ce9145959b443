# What a person does here, one word each; `make` alone lists the words.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test demo dev build format lint bench soak tools

# dev builds in a minute or two, release serves at full speed: `make run PROFILE=release`.
PROFILE ?= dev
# Flags for the server: `make run ARGS='--listen 0.0.0.0:8080'`.
ARGS ?=
# How long `make soak` repeats what `make test` repeats briefly.
ROUNDS ?= 2000
# How many seconds `make soak` gives each fuzz target; `make test` gives 2.
FUZZ ?= 300

BACKING := $${CARGO_TARGET_DIR:-target}/debug/backing

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: ## build and start the server on http://127.0.0.1:8080, with everything in ./data
	cargo run --locked --profile $(PROFILE) -p artifortress -- serve $(ARGS)

test: ## every test, with a private PostgreSQL and S3 server for the run
	kit/install-tools test browser
	cargo build --workspace --all-targets --locked
	$(BACKING) cargo test --workspace --locked --no-fail-fast
	kit/fuzz 2

demo: ## real files in and out, attacks refused, damage healed: on both backings
	kit/install-tools test
	demo/run

dev: ## api, worker and beat on PostgreSQL and S3, rebuilt when a file changes
	kit/install-tools test
	cargo build --locked -p acceptance -p artifortress
	$(BACKING) kit/dev

build: ## the release program
	cargo build --locked --release -p artifortress

format: ## put every source file into shape
	cargo fmt --all

lint: ## format check, clippy, dependencies, house rules, secrets
	kit/install-tools lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo deny --log-level error check bans licenses sources
	cargo test --workspace --locked --test tidy --test secrets

bench: ## workloads and their goals, against other servers in the same run
	kit/install-tools test bench
	bench/run

soak: ## the repeated tests, ROUNDS times over
	kit/install-tools test browser
	cargo build --workspace --all-targets --locked
	ARTIFORTRESS_TEST_ROUNDS=$(ROUNDS) $(BACKING) cargo test --workspace --locked --no-fail-fast --test '*'
	kit/fuzz $(FUZZ)
	kit/seeded-defects

tools: ## install what all of the above needs (Debian packages, cargo-deny)
	kit/install-tools test browser lint bench
