# Every target works on a machine that has Go, git, make and gcc; root does more.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The timeout is for a machine far slower than any that was seen.
TEST_FLAGS ?= -race -timeout 60m
FUZZ_TIME ?= 10s

BIN ?= bin/ctr-rootfs

# Empty without git. As root the folder may be another user's, which git minds,
# and go's own stamp (-buildvcs) fails on.
GIT := git -c safe.directory='*'
VERSION ?= $(if $(wildcard .git),$(shell $(GIT) describe --tags --always --dirty 2>/dev/null))
COMMIT := $(if $(wildcard .git),$(shell $(GIT) rev-parse HEAD 2>/dev/null))

ROOT := $(filter 0,$(shell id -u))

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/ctr-rootfs, which needs no libraries
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o $(BIN) ./cmd/ctr-rootfs

.PHONY: demo
demo: build ## Export a small image and run it as a bundle, with no daemon and no registry (root)
	@integration/demo/run

# The integration tests watch the host's mounts: one package at a time. They drive
# a program that go does not know them to depend on: no old result counts.
.PHONY: test
test: deps $(if $(ROOT),tools) ## Run every test that this user can run: all of them as root
	go test $(TEST_FLAGS) ./...
	cd integration && RACE=1 go test -count=1 $(TEST_FLAGS) -p 1 ./...
	@$(if $(ROOT),true,echo 'Left out without root: mounts, devices, daemons and runtimes. All of it: sudo env PATH="$$PATH" make test')

COUNT ?= 3000
SEED ?= 0

.PHONY: test-random
test-random: deps tools ## Compare COUNT (3000) random images from SEED (0) on: by view, by layers, by umoci (root)
	@set -o pipefail; cd integration && RANDOM_COUNT=$(COUNT) RANDOM_SEED=$(SEED) go test -count=1 -timeout 2h -v -run '^TestRandomImages$$' . | grep -v '^ *\(=== \|--- PASS\)'

SOAK ?= 500

.PHONY: soak
soak: deps tools ## End runs SOAK (500) times for each signal and store, and fail all their system calls (root)
	@set -o pipefail; cd integration && SOAK=$(SOAK) go test -count=1 -timeout 4h -v -run '^(TestDeath|TestSystemCalls|TestTimeout)$$' . | grep -v '^ *\(=== \|--- PASS\)'

.PHONY: deps
deps:
	@integration/install-deps

.PHONY: tools
tools: ## Build the daemons and runtimes that the tests drive (once, into .cache)
	@for tool in containerd containerd-1.7 runc registry crictl; do integration/tools/build $$tool >/dev/null || exit 1; done

MODULES := . integration bench integration/kubernetes

.PHONY: lint
lint: ## Run go vet and golangci-lint over all modules
	@test -z "$$(gofmt -l bench cmd deploy internal pkg integration | tee /dev/stderr)"
	@set -e; lint="$$(integration/tools/build golangci-lint)/golangci-lint"; for module in $(MODULES); do \
		(cd $$module && echo "linting $$module" && go vet ./... && "$$lint" run ./...); \
	done

.PHONY: docs
docs: ## Write docs/reference.md from the commands
	UPDATE=1 go test -run TestReference ./cmd/ctr-rootfs

.PHONY: cross
cross: ## Build for the other systems: views need Linux, layers do not
	@set -e; for target in linux/amd64 linux/arm64 linux/riscv64 darwin/arm64 windows/amd64; do \
		echo "building for $$target"; GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 go build ./...; \
	done; \
	for arch in arm loong64; do GOOS=linux GOARCH=$$arch go build ./internal/hostfile; done # by other system calls

# Making an interesting input smaller may take a minute, which is all the time there is.
# Before Go 1.27 a target may fail for nothing when its time is over: golang/go#75804.
# Every input that fails is written to a file, and said.
OUT_OF_TIME := grep -qx ' *context deadline exceeded' "$$log" && ! grep -q 'Failing input written' "$$log"

.PHONY: fuzz-short
fuzz-short: ## Run each fuzz target for FUZZ_TIME (10s)
	@set -e -o pipefail; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | sed -n '/^Fuzz/p'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 1s $$package 2>&1 | tee "$$log" || { $(OUT_OF_TIME); } || exit 1; \
		done; \
	done

.PHONY: test-kubernetes
test-kubernetes: deps ## Apply deploy/kubernetes to a real Kubernetes (root; builds it once: minutes)
	@for tool in containerd runc etcd kubernetes; do integration/tools/build $$tool >/dev/null || exit 1; done
	cd integration/kubernetes && go test -count=1 -timeout 20m .

.PHONY: image
image: ## Write dist/..._image.tar, the tool's own container image (OCI archive, amd64 and arm64)
	@deploy/build image

.PHONY: release
release: ## Write to dist/ what a release has: programs, packages, image, manuals, SBOMs, checksums
	@deploy/build release

# All that it starts or mounts is in namespaces of its own, and ends with it.
.PHONY: bench
bench: build ## Compare with other tools, and write docs/performance.md (root; BENCH_FLAGS)
	go build -C bench -buildvcs=false -o ../bin/bench .
	unshare --mount --pid --fork --kill-child --mount-proc bin/bench -document docs/performance.md $(BENCH_FLAGS)

.PHONY: clean
clean: ## Remove what was built, the cached tools too
	rm -rf bin dist demo-output .cache
