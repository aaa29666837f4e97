# What people and CI run. `make help` lists it.

CARGO ?= cargo
SERVERS = $(CARGO) run --quiet -p statetrail-servers --
PROGRAMS = $(CARGO) build --release --quiet -p statetrail-cli -p statetrail-sink -p statetrail-shop

.PHONY: help demo playground stack stack-down test check k8s-check wasm-target bench-extract bench-import bench-sink bench-query bench-serve bench-edge bench-sizing filter filter-ahead fuzz

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: ## a shop's day: import its logs, compare with its truth, show answers, serve the dashboard
	$(CARGO) run --release --quiet -p statetrail-cli -- demo

stack: ## Kafka, Cassandra and a sink between them to play with, until `make stack-down`; needs Java 17 and Maven
	$(PROGRAMS)
	$(SERVERS) up target/release/statetrail target/release/statetrail-sink

stack-down: ## end what `make stack` started
	$(SERVERS) down

# Tests that break no server share those that run beside them. Tests of the released programs come last, so
# that those are built while the others wait for their servers.
test: wasm-target ## every test
	$(CARGO) test --workspace --no-run
	@nice -n 19 $(PROGRAMS) & trap "kill $$! 2>/dev/null" EXIT INT TERM; $(SERVERS) run $(CARGO) test --workspace

k8s-check: ## manifests, images, compose file, alerts, dashboard and their documents; needs Go, Python and Maven
	$(CARGO) test -p statetrail-k8s-check

check: wasm-target ## formatting, lints and documentation, warnings as errors
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy -p statetrail-filter --target wasm32-wasip1 --profile filter -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

playground: wasm-target ## the playground as static files in target/playground, for any web server
	$(CARGO) run --quiet -p statetrail-playground-files -- target/playground
	@echo target/playground/index.html

# Without rustup the targets have to come with the toolchain; the tests say so if one is missing.
wasm-target:
	@if command -v rustup >/dev/null 2>&1; then rustup target add wasm32-wasip1 wasm32-unknown-unknown; fi

bench-extract: ## lines to events, beside RegexSet with captures; ARGS="100000 match10-rules10" for more lines and a part
	$(CARGO) run --release --quiet -p statetrail-benches --bin bench-extract -- $(ARGS)

bench-import: ## log files into SQLite, beside a bare loop of inserts; ARGS=1 for one million lines instead of ten
	$(CARGO) run --release --quiet -p statetrail-benches --bin bench-import -- $(ARGS)

bench-sink: ## Kafka to Cassandra, beside bare loops of the same driver; ARGS="500000 entities-20k" for a part
	$(CARGO) run --release --quiet -p statetrail-benches --bin bench-sink -- $(ARGS)

bench-query: ## the state at a moment, beside a bare SELECT; STORE=cassandra asks a real Cassandra
	$(CARGO) run --release --quiet -p statetrail-benches --bin bench-query$(if $(STORE),-$(STORE))

filter: wasm-target ## the filter for Fluent Bit, a .wasm that runs on every machine
	$(CARGO) build --quiet -p statetrail-filter --lib --target wasm32-wasip1 --profile filter
	@echo target/wasm32-wasip1/filter/statetrail_filter.wasm

filter-ahead: filter ## the filter compiled ahead of time, for one kind of machine; WAMRC=PATH of the compiler
	filter-wasm/compile-ahead target/wasm32-wasip1/filter/statetrail_filter.wasm target/wasm32-wasip1/filter/statetrail_filter.aot
	@echo target/wasm32-wasip1/filter/statetrail_filter.aot

bench-serve: ## questions over HTTP, beside the same without it, and 100 clients that follow; STORE=cassandra asks a real Cassandra
	$(CARGO) run --release --quiet -p statetrail-benches --bin bench-serve -- $(STORE)

bench-edge: wasm-target ## the filter in a real Fluent Bit, beside Lua; FLUENT_BIT=PATH, perhaps WAMRC=PATH; ARGS="100000 match10" for a part
	$(CARGO) run --release --quiet -p statetrail-benches --bin bench-edge -- $(ARGS)

bench-sizing: wasm-target ## what 1,000 and 10,000 events a second cost each part, and 10 and 100 times that; FLUENT_BIT=PATH for the filter; ARGS=30 for 30 seconds each
	$(CARGO) run --release --quiet -p statetrail-benches --bin bench-sizing -- $(ARGS)

fuzz: ## every fuzz target for FUZZ_SECONDS (60) each; needs a nightly toolchain and cargo-fuzz
	for target in $$(ls fuzz/libfuzzer/fuzz_targets | sed 's/\.rs$$//'); do fuzz/run $$target $${FUZZ_SECONDS:-60} || exit 1; done
