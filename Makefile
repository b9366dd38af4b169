# make help lists what there is.
GO      ?= go
BIN     := bin/tandem
TOOLS   := $(shell $(GO) env GOPATH)/bin
FUZZ    ?= 10s
GOFUMPT := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

TEMPL := github.com/a-h/templ/cmd/templ@v0.3.977

export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

.PHONY: build
build: ## bin/tandem, static
	$(GO) build -trimpath -o $(BIN) ./cmd/tandem

.PHONY: run
run: build ## a long-running node
	$(BIN) node

.PHONY: demo
demo: build ## a server, four fetch one link, the server is killed halfway, all finish; then tandem compare
	@scripts/demo

.PHONY: demo-swarm
demo-swarm: build ## without a server: one shares, three fetch, the first is killed, all finish
	@scripts/demo-swarm

.PHONY: test
test: ## every test, once; installs what they need when run as root
	@scripts/test

.PHONY: interop
interop: build ## the whole matrix of real clients (root)
	TANDEM_BIN=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 60m -parallel 6 -v ./test/interop -matrix

.PHONY: soak
soak: build ## the long loops: 100 kills of a transfer, of a server and of one of two
	TANDEM_BIN=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 60m -v ./test/crash -kills 100
	TANDEM_BIN=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 60m -v -run 'Killed' ./test/faults -kills 100 -pairs 100

.PHONY: bench-hash
bench-hash: ## hashing a 4 GiB file against hashing memory, same goroutines
	TANDEM_BENCH_MIB=4096 $(GO) test -run='^$$' -bench=HashFiles ./internal/content

.PHONY: bench-sim
bench-sim: ## the strategy's scenarios in virtual time, as multiples of the bound
	$(GO) test -run='^$$' -bench=Scenario -benchtime=1x ./internal/swarm

.PHONY: bench-swarm
bench-swarm: build ## beside real clients on shaped links (root); writes docs/benchmarks.md
	$(GO) run ./test/bench/swarm -tandem $(BIN) -out docs/benchmarks.md

.PHONY: bench-server
bench-server: build ## the server beside nginx, rclone and its bounds (root); writes docs/benchmarks.md
	$(GO) run ./test/bench/server -tandem $(BIN) -out docs/benchmarks.md

.PHONY: bench-hybrid
bench-hybrid: build ## one link, both networks, beside curl, aria2, libtorrent (root); writes docs/benchmarks.md
	$(GO) run ./test/bench/hybrid -tandem $(BIN) -out docs/benchmarks.md

.PHONY: bench-lab
bench-lab: build ## the lab: a million simulated, predictions against real runs, the claims (root); writes docs/benchmarks.md, docs/comparison.md
	$(GO) run ./test/bench/lab -tandem $(BIN) -out docs/benchmarks.md
	$(GO) run ./test/bench/lab -tandem $(BIN) -comparison docs/comparison.md

.PHONY: serve
serve: build ## a central server on loopback, data in ./tandem-data
	$(BIN) serve --data tandem-data

# The race detector needs cgo, and so a C compiler.
.PHONY: check
check: tools build ## formatting, vet, staticcheck, the rules of the house, and every test with -race
	@files=$$($(TOOLS)/gofumpt -l .); test -z "$$files" || { echo "not gofumpt:"; echo "$$files"; exit 1; }
	@$(MAKE) -s generate; git diff --exit-code --stat -- internal/web internal/lab/report || { echo "generated pages were not current: commit them"; exit 1; }
	$(GO) vet ./...
	$(TOOLS)/staticcheck ./...
	$(GO) test -count=1 ./internal/archtest
	TANDEM_BIN=$(CURDIR)/$(BIN) CGO_ENABLED=1 $(GO) test -race -gcflags=modernc.org/sqlite/lib=-race=false -count=1 $$($(GO) list ./... | grep -v '/test/interop\|/test/hybrid\|/test/crash\|/test/faults\|/test/browser\|/test/lab\|/lab/real')

# Each fuzz target alone, since that is how go test runs them.
.PHONY: fuzz
fuzz: ## every fuzz target for $(FUZZ)
	@$(GO) list -f '{{.Dir}} {{.ImportPath}}' ./... | while read -r dir pkg; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go 2>/dev/null | cut -c6-); do \
			echo "== $$pkg $$target"; \
			$(GO) test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZ) "$$pkg" </dev/null || exit 1; \
		done; \
	done

.PHONY: tools
tools: $(TOOLS)/gofumpt $(TOOLS)/staticcheck $(TOOLS)/templ

.PHONY: generate
generate: $(TOOLS)/templ ## the pages' code from their templates
	$(TOOLS)/templ generate -path internal/web >/dev/null
	$(TOOLS)/templ generate -path internal/lab/report >/dev/null

$(TOOLS)/templ:
	$(GO) install $(TEMPL)

$(TOOLS)/gofumpt:
	$(GO) install $(GOFUMPT)

$(TOOLS)/staticcheck:
	$(GO) install $(STATICCHECK)
