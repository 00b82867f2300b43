# make build       the distribution, _build/otelcol-netconn
# make run         builds what is missing, and shows who talks to whom on this machine (root)
# make demo        netconn on a service mesh of its own (root); make demo-down removes what a killed one has left
# make test        every test; the kernel's need root
# make test-kubernetes  the tests that want a Kubernetes API server, which it builds from source (ten minutes the first time)
# make test-pod    the agent's pod with the rights of its manifest, in containerd without Kubernetes (root)
# make test-node   what deploy/ installs, on a real node of Kubernetes that it brings up (root); test-node-down removes what a killed one left
# make test-churn  the same for half an hour, in which pods come and go for NETCONN_CHURN (10m)
# make test-backends  the tests with Prometheus, Victoria's stores and Jaeger, which it builds from source (some minutes the first time), ClickHouse from npm, and a browser
# make test-store  the tests of the map of a store, with Prometheus, VictoriaMetrics and a browser
# make race        the tests of what runs concurrently in a collector, with the race detector
# make image       the container image, as an archive that containerd, Docker and Podman load, without any of them
# make release     archives, an image and checksums for amd64 and arm64, in _build/release, with the version of the tag
# make check-release  the same, built once more in another folder: every byte is equal, and the programs run
# make accuracy    what the parts of a mesh counted against what netconn reported: docs/accuracy.md (root)
# make bench       what netconn costs, against its targets (root; a quarter of an hour; PART=churn,nat for parts)
# make bench-map   what the network map costs, against its budgets
# make soak        a small machine with everything on it, for DURATION: nothing may be missing (root)
# make web         the network map's page, netmap/web/dist, from its sources (node 20.19 or newer)
# make check-web   proves that what is committed is what `make web` makes
# make test-web    the page's tests: its parts, and the built distribution in a browser
# make budget-web  what the page costs a browser: docs/performance.md
# make vm-test     the tests that ask the kernel, in Debian's kernels under qemu: docs/platforms.md
# make lint        the borders between packages, style, the formats
# make generate    what is generated: BPF objects, the components' metadata, manifests, dashboards
# make check-manifest   builds the README's manifest with the Collector Builder
# make check-systems  proves that the distribution compiles for darwin and windows, where it says that it needs Linux
# make check-generated  proves that what is committed is what `make generate` makes
#
# Variables: CONFIG, LISTEN, TELEMETRY_PORT, MAP, OTLP, INTERVAL, ROUNDS, ROWS for run; TAG for image; ARCHITECTURES for release; RUN, PACKAGES for test; RUN for test-kubernetes; UNDER for race;
# PART, DURATION, FLAGS for bench and soak; KERNELS, VM_PACKAGES for vm-test.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GO    ?= go
# git refuses root a clone of another user, and go build would ask it for the commit: nothing built here says it that way.
export GOFLAGS := $(strip $(shell $(GO) env GOFLAGS 2>/dev/null) -buildvcs=false)
TOOL  := $(GO) tool -modfile=internal/tools/go.mod
CLANG := clang-16

# What the distribution is made of: the receiver, the network map and all that they import, the BPF objects and the page too.
SOURCES := $(shell find receiver internal netmap \( -path internal/tools -o -path internal/cmd -o -path internal/bench -o -path internal/e2e -o -path internal/testnet -o -path internal/testcluster -o -name testdata \
	-o -name node_modules -o -path netmap/web/src -o -path netmap/web/e2e \) -prune -o \
	\( -name '*.go' ! -name '*_test.go' -o -name '*.o' -o -path 'netmap/web/dist/*' -type f \) -print)
DISTRIBUTION := _build/otelcol-netconn

# The newest tag, or v0.1.0-dev before there is one, with the commits since. Nothing else names a version.
VERSION ?= $(patsubst v%,%,$(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null || \
	echo "v0.1.0-dev-g$$(git rev-parse --short=8 HEAD 2>/dev/null || echo unknown)"))

.PHONY: build
build: $(DISTRIBUTION)

# Only a change of the modules needs the builder; a change of our own sources is a plain, incremental build.
$(DISTRIBUTION): _build/go.mod $(SOURCES)
	@echo 'Building $@. The first time takes a few minutes.'
	@internal/tools/compile '$(VERSION)' otelcol-netconn
	@$(GO) run ./internal/cmd/licenses -goroot "$$($(GO) env GOROOT)" -modcache "$$($(GO) env GOMODCACHE)" $@ _build/licenses

# The builder ends by downloading the modules of every system, some of which no build of ours needs; by then it has written
# all that counts, go.sum last.
_build/go.mod: builder-config.yaml go.mod internal/tools/go.mod
	@internal/tools/need-go '$(GO)'
	@echo 'Resolving the modules of the distribution.'
	@mkdir -p _build && rm -f _build/go.mod _build/go.sum
	@$(TOOL) builder --config builder-config.yaml --skip-compilation >_build/builder.log 2>&1 || test -s _build/go.sum || \
		{ cat _build/builder.log; exit 1; }
	@touch _build/go.mod

IMAGE := _build/image.tar
TAG   ?= netconn/otelcol-netconn:0.1.0

# The image that deploy/ names, as an archive, and its digest.
.PHONY: image
image: $(IMAGE)
	@cat $(IMAGE).digest

$(IMAGE): $(DISTRIBUTION)
	@internal/tools/install :ca-certificates
	@rm -rf _build/image && mkdir _build/image && ln $(DISTRIBUTION) _build/image/
	@internal/tools/parts '$(VERSION)' _build/image
	@$(GO) run ./internal/cmd/image -name 'docker.io/$(TAG)' -version '$(VERSION)' $@ _build/image >$@.digest

ARCHITECTURES ?= amd64 arm64

# What a release consists of, in _build/release, for the version that the tag names. The tree must be committed.
.PHONY: release check-release
release: _build/go.mod
	@internal/tools/install :ca-certificates
	@internal/tools/release '$(VERSION)' $(ARCHITECTURES)

check-release: release
	@internal/tools/check-release '$(VERSION)' $(ARCHITECTURES)

WEB := netmap/web

CONFIG         ?= testdata/collector.yaml
LISTEN         ?= 127.0.0.1:19464
TELEMETRY_PORT ?= 19465
MAP            ?= $(if $(filter testdata/collector.yaml,$(CONFIG)),127.0.0.1:19466)
OTLP           ?= $(if $(filter testdata/collector.yaml,$(CONFIG)),127.0.0.1:19467)
INTERVAL       ?= 2s
ROUNDS         ?= 0
ROWS           ?= 0

.PHONY: run
run:
	@internal/tools/need-root run 'only root may read the sockets of all processes'
	@internal/tools/need-go '$(GO)'
	@$(MAKE) --silent $(DISTRIBUTION)
	@$(GO) build -o _build/top ./internal/cmd/top
	@exec _build/top -listen '$(LISTEN)' -telemetry-port '$(TELEMETRY_PORT)' -map '$(MAP)' -otlp '$(OTLP)' -interval '$(INTERVAL)' -rounds '$(ROUNDS)' \
		-rows '$(ROWS)' -log _build/otelcol-netconn.log $(DISTRIBUTION) --config '$(CONFIG)'

DEMO := _build/demo

# netconn on a service mesh: see internal/cmd/demo/doc.go. MARKDOWN=1 prints the picture of the README. Ctrl-C ends it and removes the mesh;
# demo-down ends one that runs, and removes what one that was killed has left.
.PHONY: demo demo-down
demo:
	@internal/tools/need-root $@ 'it makes network namespaces and reads the kernel'
	@internal/tools/install ip:iproute2 iptables:iptables nft:nftables
	@$(MAKE) --silent $(DISTRIBUTION)
	@$(GO) build -o _build/top ./internal/cmd/top
	@$(GO) build -o $(DEMO) ./internal/cmd/demo
	@exec $(DEMO) $(if $(MARKDOWN),-markdown) _build/top -listen '$(LISTEN)' -telemetry-port '$(TELEMETRY_PORT)' -map '$(MAP)' -otlp '$(OTLP)' \
		-interval '$(INTERVAL)' -rounds '$(if $(MARKDOWN),0,$(ROUNDS))' -rows '$(ROWS)' -log _build/demo.log \
		-only client,gateway,productpage,details,reviews,ratings,envoy \
		$(DISTRIBUTION) --config testdata/collector.yaml --config internal/cmd/demo/networks.yaml

demo-down:
	@internal/tools/need-root $@ 'it removes network namespaces and cgroups'
	@$(GO) build -o $(DEMO) ./internal/cmd/demo
	@$(DEMO) -down

PACKAGES ?= ./internal/e2e ./... # the longest first

.PHONY: test
test: RUN ?= .
test: $(DISTRIBUTION)
	@internal/tools/test -run '$(RUN)' $(PACKAGES)

# The packages that start goroutines or lock, but for the tests' own tools. Their tests run what they import in several goroutines.
UNDER ?= receiver internal netmap
CONCURRENT = $(shell grep -rlE '^\s*go |"sync"|"golang.org/x/sync/' --include='*.go' --exclude='*_test.go' $(UNDER) --exclude-dir=node_modules \
	--exclude-dir={bench,cmd,e2e,metadata,testcluster,testnet,tools} | xargs -n 1 dirname | sort -u)

.PHONY: race
race: $(DISTRIBUTION)
	@internal/tools/test -race $(CONCURRENT:%=./%)

# The API server of the tests, and what writes to it as a user would. A module file of their own keeps their hundreds of modules
# apart from ours.
KUBERNETES := _build/kubernetes/kube-apiserver _build/kubernetes/kubectl

.PHONY: kubernetes
kubernetes: $(KUBERNETES)

$(KUBERNETES) &: internal/tools/kubernetes/go.mod
	@echo 'Building $(KUBERNETES). The first time takes ten minutes.'
	@CGO_ENABLED=0 nice $(GO) build -modfile=internal/tools/kubernetes/go.mod -trimpath -ldflags='-s -w' -o _build/kubernetes/ \
		k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
	@touch $(KUBERNETES)

.PHONY: test-kubernetes
test-kubernetes: RUN ?= Cluster
test-kubernetes: $(DISTRIBUTION) $(KUBERNETES) _build/backends/prometheus
	@internal/tools/install etcd:etcd-server
	@NETCONN_KUBERNETES='$(CURDIR)/_build/kubernetes' NETCONN_BACKENDS='$(CURDIR)/_build/backends' NETCONN_REQUIRE_KUBERNETES=1 internal/tools/test -run '$(RUN)' ./internal/kubernetes ./internal/e2e

# A node: containerd, runc and etcd are Debian's, the rest is built from source.
NODE := $(KUBERNETES) $(addprefix _build/kubernetes/,kubelet kube-proxy kube-controller-manager kube-scheduler coredns)

$(filter-out $(KUBERNETES) %/coredns,$(NODE)) &: internal/tools/kubernetes/go.mod
	@echo 'Building a kubelet and its companions. The first time takes ten minutes.'
	@CGO_ENABLED=0 nice $(GO) build -modfile=internal/tools/kubernetes/go.mod -trimpath -ldflags='-s -w' -o _build/kubernetes/ \
		k8s.io/kubernetes/cmd/{kubelet,kube-proxy,kube-controller-manager,kube-scheduler}
	@touch $(filter-out $(KUBERNETES) %/coredns,$(NODE))

_build/kubernetes/coredns: internal/tools/coredns/go.mod internal/tools/coredns/main.go
	@cd internal/tools/coredns && CGO_ENABLED=0 nice $(GO) build -trimpath -ldflags='-s -w' -o ../../../$@ .

# The agent's pod in containerd, without Kubernetes: a short part of test-node.
.PHONY: test-pod
test-pod: $(IMAGE)
	@internal/tools/need-root $@ 'it runs containers'
	@internal/tools/install containerd:containerd runc:runc :containernetworking-plugins ip:iproute2 iptables:iptables
	@CGO_ENABLED=0 $(GO) build -o _build/kubernetes/app ./internal/testcluster/app
	@NETCONN_KUBERNETES='$(CURDIR)/_build/kubernetes' NETCONN_REQUIRE_KUBERNETES=1 internal/tools/test -run '^TestPod$$' ./internal/e2e/node

.PHONY: test-node test-churn test-node-down
test-churn: export NETCONN_CHURN ?= 10m
test-churn:
	@$(MAKE) --no-print-directory test-node RUN=TestChurn

test-node: RUN ?= TestNode$$
test-node: $(IMAGE) $(NODE)
	@internal/tools/need-root $@ 'it runs a kubelet'
	@internal/tools/install etcd:etcd-server containerd:containerd runc:runc :containernetworking-plugins ip:iproute2 iptables:iptables conntrack:conntrack
	@CGO_ENABLED=0 $(GO) build -o _build/kubernetes/app ./internal/testcluster/app
	@NETCONN_KUBERNETES='$(CURDIR)/_build/kubernetes' NETCONN_REQUIRE_KUBERNETES=1 internal/tools/test -timeout 40m -run '$(RUN)' ./internal/e2e/node

test-node-down:
	@internal/tools/need-root $@ 'it removes cgroups'
	@NETCONN_KUBERNETES='$(CURDIR)/_build/kubernetes' $(GO) test -count=1 -run '^$$' ./internal/e2e/node

# The backends that users have, built from source for the tests that query them, and an application that sends its spans to one.
# ClickHouse is not built here: npm has it as a library.
BACKENDS := $(addprefix _build/backends/,prometheus promtool alertmanager victoria-metrics victoria-logs jaeger clickhouse traced)

_build/backends/prometheus: internal/tools/prometheus/go.mod
	@echo 'Building $@. The first time takes some minutes.'
	@CGO_ENABLED=0 nice $(GO) build -modfile=$< -tags netgo,remove_all_sd -trimpath -ldflags='-s -w' -o $@ \
		github.com/prometheus/prometheus/cmd/prometheus
	@touch $@

_build/backends/promtool: internal/tools/prometheus/go.mod
	@echo 'Building $@.'
	@CGO_ENABLED=0 nice $(GO) build -modfile=$< -tags netgo,remove_all_sd -trimpath -ldflags='-s -w' -o $@ \
		github.com/prometheus/prometheus/cmd/promtool
	@touch $@

_build/backends/alertmanager: internal/tools/alertmanager/go.mod internal/tools/alertmanager/build
	@echo 'Building $@.'
	@GO='$(GO)' internal/tools/alertmanager/build $@
	@touch $@

_build/backends/victoria-metrics: internal/tools/victoriametrics/go.mod
	@echo 'Building $@.'
	@mkdir -p $(@D)
	@CGO_ENABLED=0 nice $(GO) build -modfile=internal/tools/victoriametrics/go.mod -trimpath -ldflags='-s -w' \
		-o $@ github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics
	@touch $@

_build/backends/victoria-logs: internal/tools/victorialogs/go.mod
	@echo 'Building $@.'
	@CGO_ENABLED=0 nice $(GO) build -modfile=$< -trimpath -ldflags='-s -w' -o $@ \
		github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs
	@touch $@

_build/backends/jaeger: internal/tools/jaeger/go.mod
	@echo 'Building $@. The first time takes some minutes.'
	@CGO_ENABLED=0 nice $(GO) build -modfile=$< -trimpath -ldflags='-s -w' -o $@ github.com/jaegertracing/jaeger/cmd/all-in-one
	@touch $@

_build/backends/clickhouse: $(addprefix internal/tools/clickhouse/,build go.mod package.json package-lock.json query.js)
	@echo 'Installing $@, 550 MB.'
	@mkdir -p $(@D)
	@GO='$(GO)' internal/tools/clickhouse/build $@
	@touch $@

_build/backends/traced: internal/tools/traced/go.mod internal/tools/traced/main.go
	@cd $(<D) && CGO_ENABLED=0 nice $(GO) build -trimpath -ldflags='-s -w' -o $(CURDIR)/$@ .
	@touch $@

.PHONY: backends
backends: $(BACKENDS)

.PHONY: test-backends
test-backends: $(DISTRIBUTION) $(BACKENDS) $(WEB)/node_modules/.package-lock.json
	@internal/tools/install chromium:chromium
	@NETCONN_BACKENDS='$(CURDIR)/_build/backends' internal/tools/test -run '^TestBackend' ./internal/e2e

# It takes no root.
.PHONY: test-store
test-store: $(DISTRIBUTION) $(addprefix _build/backends/,prometheus promtool victoria-metrics) $(WEB)/node_modules/.package-lock.json
	@internal/tools/install chromium:chromium
	@NETCONN_BACKENDS='$(CURDIR)/_build/backends' internal/tools/test -run '^TestBackend' ./netmap/internal/history
	@cd $(WEB) && NETCONN_BACKENDS='$(CURDIR)/_build/backends' NETCONN_COLLECTOR='$(CURDIR)/$(DISTRIBUTION)' npx vitest run e2e/history.test.ts

# The pictures of an edge and of a canary in the README, of a shop that runs for two minutes.
.PHONY: screenshots
screenshots: $(DISTRIBUTION) $(addprefix _build/backends/,prometheus traced) $(WEB)/node_modules/.package-lock.json
	@internal/tools/need-root $@ 'it makes network namespaces and reads the kernel'
	@internal/tools/install chromium:chromium
	@NETCONN_BACKENDS='$(CURDIR)/_build/backends' NETCONN_SCREENSHOTS='$(CURDIR)/docs/images' \
		internal/tools/test -run '^TestBackendScreenshots$$' ./internal/e2e

# The project's own mesh, with each rule set and mode: what its parts counted against what netconn reported.
.PHONY: accuracy
accuracy: $(DISTRIBUTION)
	@internal/tools/need-root $@ 'it makes network namespaces and reads the kernel'
	@NETCONN_ACCURACY='$(CURDIR)/docs/accuracy.md' internal/tools/test -run '^TestAccuracy$$' ./internal/e2e

PART     ?=
DURATION ?= 20m

# What netconn costs, and whether anything is lost: see internal/bench/doc.go. They want a quiet machine, and print Markdown at the end.
.PHONY: bench soak
bench soak:
	@internal/tools/need-root $@ 'it makes network namespaces and reads the kernel'
	@internal/tools/install ip:iproute2 iptables:iptables
	@$(MAKE) --silent $(DISTRIBUTION)
	@$(GO) build -o _build/bench ./internal/bench
	@_build/bench $(if $(filter soak,$@),soak -duration '$(DURATION)',-part '$(PART)') $(FLAGS) $(DISTRIBUTION)

# What the network map costs, against its budgets; two minutes. Figures of time want a quiet machine.
.PHONY: bench-map
bench-map:
	@$(GO) test -run '^TestTheLargestGraph' -v -bench . -benchtime 50x -timeout 20m ./netmap/internal/store ./netmap/netmapextension | grep -E '^Bench|bytes'

.PHONY: lint
lint:
	internal/tools/check-sizes
	$(TOOL) golangci-lint run --allow-parallel-runners
	for system in darwin windows; do GOOS=$$system $(GO) vet ./... || exit; done
	@if command -v clang-format-16 >/dev/null; then clang-format-16 --dry-run -Werror bpf/*.[ch] internal/bench/rival/bpf/*.[ch]; \
	else echo 'bpf/: format not checked, it takes clang-format-16'; fi

.PHONY: generate
generate:
	@internal/tools/install $(CLANG):clang-16 llvm-strip-16:llvm-16
	$(GO) generate ./...
	cd internal/tools/dashboards && $(GO) run . ../../../deploy/observe/dashboards

GENERATED := internal/*/*_bpfel.* internal/bench/rival/*_bpfel.* \
	receiver/netconnreceiver/generated_*.go receiver/netconnreceiver/internal/metadata receiver/netconnreceiver/internal/metadatatest \
	receiver/netconnreceiver/documentation.md receiver/netconnreceiver/metadata.yaml \
	netmap/*/generated_*.go netmap/*/internal/metadata netmap/*/internal/metadatatest netmap/*/documentation.md netmap/web/src/names.ts \
	deploy/helm deploy/observe/dashboards deploy/operator docs/configuration.schema.json

.PHONY: check-generated
check-generated: generate
	cd internal/tools/dashboards && $(GO) vet . && $(GO) test .
	git diff --exit-code -- $(GENERATED)
	@test -z "$$(git ls-files --others --exclude-standard -- $(GENERATED))" || \
		{ echo 'generated, but not committed:'; git ls-files --others --exclude-standard -- $(GENERATED); exit 1; }

# What the page is built with, as the lock has it. npm writes its own lock when it is done.
$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	@internal/tools/need-node
	@cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error

.PHONY: web
web: $(WEB)/node_modules/.package-lock.json
	@cd $(WEB) && npm run --silent build

.PHONY: check-web
check-web: web
	git diff --exit-code -- $(WEB)/dist
	@test -z "$$(git ls-files --others -- $(WEB)/dist)" || { echo 'built, but not committed:'; git ls-files --others -- $(WEB)/dist; exit 1; }

.PHONY: test-web
test-web: $(DISTRIBUTION) $(WEB)/node_modules/.package-lock.json
	@internal/tools/install chromium:chromium
	@cd $(WEB) && npm run --silent check && NETCONN_COLLECTOR='$(CURDIR)/$(DISTRIBUTION)' npm run --silent test

.PHONY: budget-web
budget-web: $(DISTRIBUTION) $(WEB)/node_modules/.package-lock.json
	@internal/tools/install chromium:chromium
	@cd $(WEB) && NETCONN_COLLECTOR='$(CURDIR)/$(DISTRIBUTION)' npm run --silent budget

# The README's manifest, built as a reader would build it.
.PHONY: check-manifest
check-manifest:
	@internal/tools/check-manifest

# The distribution for other systems. Nothing is kept: what counts is that it compiles.
.PHONY: check-systems
check-systems: _build/go.mod
	@cd _build && for system in darwin windows; do GOOS=$$system CGO_ENABLED=0 $(GO) build -tags remove_all_sd -o /dev/null . || exit; done

.PHONY: clean
clean:
	rm -rf _build

KERNELS ?= 5.10 6.1 6.12 here 7.3 6.12/arm64

# The tests that ask the kernel, in other kernels than this machine's, and the table of docs/platforms.md. Half an hour on
# two cores that do nothing else.
.PHONY: vm-test
vm-test:
	@internal/tools/vm-test $(KERNELS)
