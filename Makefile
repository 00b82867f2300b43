# make build       the distribution, _build/otelcol-netconn
# make run         builds what is missing, and shows who talks to whom on this machine (root)
# make test        every test; the kernel's need root
# make race        the tests of what runs in several goroutines, with the race detector
# make bench       what netconn costs, against its targets (root; a quarter of an hour; PART=churn,nat for parts)
# make soak        a small machine with everything on it, for DURATION: nothing may be missing (root)
# make lint        the borders between packages, style, the formats
# make generate    what is generated: BPF objects, the receiver's metadata
# make check-generated  proves that what is committed is what `make generate` makes
#
# Variables: CONFIG, LISTEN, TELEMETRY_PORT, INTERVAL, ROUNDS, ROWS for run; RUN, PACKAGES for test;
# PART, DURATION, FLAGS for bench and soak.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GO    ?= go
TOOL  := $(GO) tool -modfile=internal/tools/go.mod
CLANG := clang-16

# What the distribution is made of: the receiver and all that it imports, the BPF objects too.
SOURCES := $(shell find receiver internal \( -path internal/tools -o -path internal/top -o -path internal/testnet -o -name testdata \) -prune -o \
	\( -name '*.go' ! -name '*_test.go' -o -name '*.o' \) -print)
DISTRIBUTION := _build/otelcol-netconn

.PHONY: build
build: $(DISTRIBUTION)

# Only a change of the modules needs the builder; a change of our own sources is a plain, incremental build.
$(DISTRIBUTION): _build/go.mod $(SOURCES)
	@echo 'Building $@. The first time takes a few minutes.'
	@cd _build && CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -ldflags='-s -w' -o otelcol-netconn .

# The builder ends by downloading the modules of every system, some of which no build of ours needs; by then it has written
# all that counts, go.sum last.
_build/go.mod: builder-config.yaml go.mod internal/tools/go.mod
	@echo 'Resolving the modules of the distribution.'
	@mkdir -p _build && rm -f _build/go.mod _build/go.sum
	@$(TOOL) builder --config builder-config.yaml --skip-compilation >_build/builder.log 2>&1 || test -s _build/go.sum || \
		{ cat _build/builder.log; exit 1; }
	@touch _build/go.mod

CONFIG         ?= testdata/collector.yaml
LISTEN         ?= 127.0.0.1:19464
TELEMETRY_PORT ?= 19465
INTERVAL       ?= 2s
ROUNDS         ?= 0
ROWS           ?= 0

.PHONY: run
run:
	@.ci/need-root run 'the kernel shows its sockets to nobody else'
	@$(MAKE) --silent $(DISTRIBUTION)
	@$(GO) build -o _build/top ./internal/top
	@exec _build/top -listen '$(LISTEN)' -telemetry-port '$(TELEMETRY_PORT)' -interval '$(INTERVAL)' -rounds '$(ROUNDS)' \
		-rows '$(ROWS)' -log _build/otelcol-netconn.log $(DISTRIBUTION) --config '$(CONFIG)'

RUN      ?= .
PACKAGES ?= ./...

.PHONY: test
test: $(DISTRIBUTION)
	@.ci/test -run '$(RUN)' $(PACKAGES)

.PHONY: race
race: $(DISTRIBUTION)
	@.ci/test -race ./receiver/... ./internal/...

PART     ?=
DURATION ?= 20m

# What netconn costs, and whether anything is lost: see bench/doc.go. They want a quiet machine, and print Markdown at the end.
.PHONY: bench soak
bench soak:
	@.ci/need-root $@ 'it makes network namespaces and reads the kernel'
	@.ci/install ip:iproute2 iptables:iptables
	@$(MAKE) --silent $(DISTRIBUTION)
	@$(GO) build -o _build/bench ./bench
	@_build/bench $(if $(filter soak,$@),soak -duration '$(DURATION)',-part '$(PART)') $(FLAGS) $(DISTRIBUTION)

.PHONY: lint
lint:
	$(TOOL) golangci-lint run --allow-parallel-runners
	GOOS=darwin $(GO) vet ./...
	@if command -v clang-format-16 >/dev/null; then clang-format-16 --dry-run -Werror bpf/*.[ch] bench/rival/bpf/*.[ch]; \
	else echo 'bpf/: format not checked, it takes clang-format-16'; fi

.PHONY: generate
generate:
	@.ci/install $(CLANG):clang-16 llvm-strip-16:llvm-16
	$(GO) generate ./...

GENERATED := internal/kernel/*_bpfel.* internal/conntrack/*_bpfel.* receiver/generated_*.go receiver/internal/metadata receiver/internal/metadatatest \
	receiver/documentation.md bench/rival/*_bpfel.*

.PHONY: check-generated
check-generated: generate
	git diff --exit-code -- $(GENERATED)
	@test -z "$$(git ls-files --others --exclude-standard -- $(GENERATED))" || \
		{ echo 'generated, but not committed:'; git ls-files --others --exclude-standard -- $(GENERATED); exit 1; }

.PHONY: clean
clean:
	rm -rf _build

KERNELS ?= 6.1 6.12

# The tests that ask the kernel, in other kernels than this machine's (see .ci/vm). One test of internal/owner wants the memory
# controller of cgroup version 1: it is mounted for it, and where the kernel is built without, as Debian's 6.12, the test is left
# out.
.PHONY: vm-test
vm-test:
	@mkdir -p _build/vm/tests
	@.ci/install iptables:iptables ethtool:ethtool conntrack:conntrack
	@$(GO) test -c -o _build/vm/tests/ ./internal/kernel ./internal/owner ./internal/conntrack
	@status=0; for series in $(KERNELS); do for package in kernel owner conntrack; do \
		echo "== internal/$$package in Linux $$series"; \
		log=_build/vm/tests/$$package-$$series.log; \
		.ci/vm $$series env NETCONN_REQUIRE_KERNEL=1 bash -c 'if [[ $$0 == owner ]]; then \
				v1=/sys/fs/cgroup/memory; mkdir $$v1; \
				mount -t cgroup -o memory none $$v1 2>/dev/null || { rmdir $$v1; set -- -test.skip="^TestKernelVersion1\$$"; }; \
			fi; \
			cd internal/$$0 && exec ../../_build/vm/tests/$$0.test -test.v "$$@"' $$package >$$log 2>&1 || { status=1; cat $$log; }; \
		$(GO) tool test2json -p $$package <$$log | awk -f .ci/count.awk || status=1; \
	done; done; exit $$status
