# The two commands to begin with: make demo, make test. Nothing but Go, make and a C compiler is needed.

GO ?= go
GOFUMPT = $(GO) run mvdan.cc/gofumpt@v0.12.0
STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCHSTAT = $(GO) run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
FUZZTIME ?= 20s
# k6 as built here; another version is another file.
K6_VERSION = v1.8.1
K6 = bin/k6-$(K6_VERSION)
SCENARIO ?= smoke
# Modules of their own: their dependencies never enter ours.
NESTED = $(patsubst %/go.mod,%,$(wildcard verify/conformance/go.mod bench/compare/go.mod))
# Every fuzz target there is, as folder:function, in whichever module.
FUZZ = $(shell grep -rnoE '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' . | sed -E 's!/[^/]*:[0-9]+:func !:!' | sort -u)

.PHONY: build demo test check race purego fuzz bench benchcmp generate test-real gate gate-proof gate-record figures profile scale soak load peers clean

build: ## bin/sallyport
	$(GO) build -trimpath -o bin/sallyport ./cmd/sallyport

demo: build ## issuer, echo upstream and proxy in one process
	./bin/sallyport demo

test: ## every test of every module, fuzz corpora replayed
	$(GO) test ./...
	@set -e; for m in $(NESTED); do echo "== $$m"; (cd $$m && $(GO) test ./...); done

check: ## what every commit passes
	@out=$$($(GOFUMPT) -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not gofumpt'ed:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(STATICCHECK) ./...
	$(GO) test -shuffle=on ./...

race: ## with the race detector
	$(GO) test -race ./...

purego: ## the portable twins of all assembly
	$(GO) test -tags purego ./verify/...

# Go before 1.27 may fail a target with "context deadline exceeded" and nothing else when its time is up (golang/go#75804). That, and
# no other failure, is tried once more. Inputs that are only interesting are made small for a second at most, not for a minute.
fuzz: ## each fuzz target for FUZZTIME, in whichever module it is
	@set -e; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; for t in $(FUZZ); do \
		p=$${t%%:*}; f=$${t##*:}; echo "== $$p $$f"; \
		run() { $(GO) test -C "$$p" -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s >"$$log" 2>&1; }; \
		if ! run; then \
			cat "$$log"; \
			[ "$$(grep -A1 -e '^--- FAIL' "$$log" | tail -n +2)" = '    context deadline exceeded' ] || exit 1; \
			echo "again: its time was up"; run || { cat "$$log"; exit 1; }; \
		fi; \
		tail -n 2 "$$log"; \
	done

bench: ## benchmarks, for benchcmp
	@mkdir -p bench/out
	$(GO) test -run '^$$' -bench . -count 10 ./... | tee bench/out/new.txt

benchcmp: ## bench/out/old.txt against bench/out/new.txt
	$(BENCHSTAT) bench/out/old.txt bench/out/new.txt

generate: ## assembly from its generators
	@set -e; for d in $(wildcard verify/*/_asm); do echo "== $$d"; (cd $$d && $(GO) generate .); done

test-real: build ## against a provider that is not ours
	cd loadtest/real && $(GO) test -count=1 -v ./...

gate: ## what a request costs and allocates, in memory, against the limits recorded for this kind of machine
	$(GO) run ./bench/gate

gate-proof: ## the gate must see a path that is slowed by 25 %
	$(GO) run ./bench/gate -slow 25

gate-record: ## writes those limits, on a machine that does nothing else
	$(GO) run ./bench/gate -record

soak: ## ten million valid and forged tokens through cache and pool, the verdict of each known beforehand
	$(GO) run ./bench/soak

figures: build ## how fast it is, each figure with its interval and goal, and a picture; bench/results has earlier ones
	@mkdir -p bench/out
	$(GO) run ./bench/figures -plot bench/out/figures.svg

profile: build ## where CPU time and allocations of the steady path go; leaves profiles in bench/out. bench/RESULTS.md explains
	$(GO) run ./bench/profile

RUN ?=
scale: build ## cost as work grows, RUN=regexp for some of the curves; leaves bench/results/scale.csv and .svg
	$(GO) run ./bench/scale -run '$(RUN)'

load: build $(if $(filter saturation latency,$(SCENARIO)),,$(K6)) ## SCENARIO=name (smoke): k6 or wrk against a proxy with all it needs; see README
	$(GO) build -o bin/loadtest ./loadtest/run
	./bin/loadtest -k6 $(K6) $(SCENARIO)

$(K6):
	GOBIN=$(CURDIR)/bin $(GO) install go.k6.io/k6@$(K6_VERSION)
	mv bin/k6 $@

# Installs the peers below loadtest/peers/out. CADDY may name a Caddy that holds caddy-jwt.
PEERS_SECONDS ?= 15
peers: build ## sallyport beside other proxies; leaves loadtest/results/peers.*
	$(GO) run ./loadtest/peers -seconds $(PEERS_SECONDS) -caddy "$(CADDY)"

clean:
	rm -rf bin bench/out
