# Each target is one thing that a person would type. `make` alone lists them.

CARGO ?= cargo
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Start a cluster on loopback, roll a shop out, show the linked chain. Ctrl-C ends it.
	@$(CARGO) build --bin throughline --bin keptn-stand-in --bin demo
	@$(CARGO) run --quiet --bin demo

.PHONY: test
test: check-arch lint ## Everything: style, unit, property, replay and cluster tests.
	@# The whole workspace at once: another selection of packages would build all libraries again.
	$(CARGO) build --workspace --bins
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8} $(CARGO) test --workspace

.PHONY: test-fast
test-fast: ## Unit, property and replay tests: no cluster.
	$(CARGO) test --workspace --exclude throughline-tests

.PHONY: test-cluster
test-cluster: ## The scenarios on a real control plane on loopback.
	@# They wait more than they work: more of them at once than there are cores.
	$(CARGO) build --bin throughline --bin keptn-stand-in
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8} $(CARGO) test --package throughline-tests

.PHONY: bench
bench: ## Measure what it gets done and what it costs. ARGS="--only core" needs no cluster; ARGS=--help.
	@# All at once and as released: rates of a debug build mean nothing.
	@$(CARGO) build --release --quiet --package throughline --package throughline-tests \
		--bin throughline --bin keptn-stand-in --bin bench
	@"$${CARGO_TARGET_DIR:-target}/release/bench" $(ARGS)

.PHONY: mutations
mutations: ## Break the rules of the core one by one: a test fails for each. ARGS=exposure for some.
	@crates/timeline/tests/mutations/run $(ARGS)

.PHONY: lint
lint: ## Formatting and clippy, warnings denied.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings

.PHONY: check-arch
check-arch: ## The pure core depends on nothing that does I/O, the types on neither of the others.
	@! $(CARGO) tree --package throughline-timeline --edges normal --prefix none \
		| grep -E '^(kube|k8s-openapi|tokio|hyper|opentelemetry|throughline-api|throughline) ' \
		|| { echo 'crates/timeline must stay pure: remove the dependency above' >&2; exit 1; }
	@! $(CARGO) tree --package throughline-api --edges normal --prefix none \
		| grep -E '^(tokio|hyper|throughline-timeline|throughline) ' \
		|| { echo 'crates/api is types only and knows no other crate: remove the dependency above' >&2; exit 1; }

.PHONY: generate
generate: ## Write crds/ anew from the Rust types.
	$(CARGO) run --quiet --bin throughline -- crds --to crds

.PHONY: fuzz
fuzz: ## Look for inputs that break a decoder or the fold. TARGET=fold, see README.
	@# Needs cargo-fuzz and a nightly toolchain.
	$(CARGO) +nightly fuzz run --features libfuzzer --fuzz-dir fuzz $${TARGET:-fold} -- $(ARGS)

TARGETS ?= x86_64-unknown-linux-musl
RELEASE := $(or $(CARGO_TARGET_DIR),target)

.PHONY: release
release: ## Static binaries, SBOM and checksums, in target/throughline-VERSION. TARGETS=... for other machines.
	@# Needs cargo-auditable, cargo-cyclonedx and a C compiler for each target: see README.
	@.ci/release "$(RELEASE)" $(TARGETS)

.PHONY: deny
deny: ## Licences, advisories and duplicates of all dependencies. Needs cargo-deny.
	$(CARGO) deny check
