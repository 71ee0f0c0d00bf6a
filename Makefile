# The linter's version is pinned: another one finds other things.
GOLANGCI_LINT := v2.15.0
LINT          := bin/golangci-lint-$(GOLANGCI_LINT)
GOVULNCHECK   := v1.9.0
VULN          := bin/govulncheck-$(GOVULNCHECK)
# The Go vulnerability database, from where modules come from: vuln.go.dev is not in everyone's reach.
VULNDB        := golang.org/x/vulndb@latest

# Pairs source:target of major versions for test-matrix; by default all that are not a downgrade.
MAJORS := 13 14 15 16 17 18
MATRIX := $(foreach s,$(MAJORS),$(foreach t,$(MAJORS),$(if $(filter 1,$(shell [ $(s) -le $(t) ] && echo 1)),$(s):$(t))))

# Executions of each: a duration makes Go 1.26 fail now and then (golang/go#75804).
FUZZTIME := 200000x
BENCH    := .
COUNT    := 1

.DEFAULT_GOAL := help
.PHONY: help build install demo test prove prove-long test/race test-matrix servers lint fmt vuln fuzz golden bench bench-drain bench-copy check clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z][a-z\/-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/walferry
	go build -o bin/walferry ./cmd/walferry

install: ## install walferry into GOBIN
	go install ./cmd/walferry

demo: build ## migrate a live database between two throw-away servers, in about a minute
	bin/walferry demo

# The proof has a target of its own.
PACKAGES := $$(go list ./... | grep -v /internal/proof)
LONG     := 10

test: ## run all tests but the proof, on real servers, which it fetches where they are missing
	go test -timeout 30m $(PACKAGES)

# Some thirteen minutes on two idle cores, a third more at a load of 5, three quarters of an hour at 15, where a kill takes three times as long.
prove: ## kill walferry at a share of the places, cut every wire, and compare; each commit has its share (SEED=7)
	go test -timeout 60m ./internal/proof -seed $(or $(SEED),$(shell git rev-list --count HEAD),1)

prove-long: ## the same LONG times over, at more places and with other seeds (SEED=7)
	go test -timeout 0 ./internal/proof -long $(LONG) -seed $(or $(SEED),1)

test/race: ## run all tests with the race detector
	CGO_ENABLED=1 go test -race -timeout 40m $(PACKAGES)

test-matrix: ## run the end-to-end tests over pairs of versions (MATRIX="13:18 15:17", default all)
	.ci/matrix $(MATRIX)

servers: ## fetch the servers and clients of all versions that the machine does not have
	go run ./internal/pgbin/fetch $(MAJORS) $(addprefix client,$(MAJORS))

lint: $(LINT) ## check the style and the import rules
	$(LINT) config verify
	$(LINT) run ./...

fmt: $(LINT) ## format the code
	$(LINT) fmt ./...

$(LINT):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv bin/golangci-lint $@

# With the toolchain of go.mod, whichever this machine has: its library is part of the program.
vuln: export GOTOOLCHAIN = auto
vuln: $(VULN) ## look for known vulnerabilities in what the program calls
	go mod download $(VULNDB)
	go version
	$(VULN) -db file://$$(go list -m -f '{{.Dir}}' $(VULNDB))/data/osv ./...

$(VULN):
	GOBIN=$(CURDIR)/bin go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK)
	mv bin/govulncheck $@

fuzz: ## fuzz everything that has a fuzz test, FUZZTIME each
	.ci/fuzz $(FUZZTIME)

golden: ## write the golden files anew; read the diff
	grep -rlE --include='*_test.go' 'golden\.Check\(t|flag\.Bool\("update"' . | xargs -r -n 1 dirname | sort -u | xargs -r -I '{}' go test '{}' -run Golden -update

bench: ## run the micro benchmarks (BENCH=pattern, COUNT=6 for benchstat)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...

bench-drain: ## drain backlogs beside the native subscription (DRAIN="-workload hot -runs 3")
	go run ./bench/drain $(DRAIN)

bench-copy: ## copy a table beside the native subscription, pg_dump and a bare pipe (COPY="-runs 3")
	go run ./bench/copy $(COPY)

check: build lint test test/race ## what a change must pass

clean: ## remove what was built and fetched
	rm -rf bin .cache
