# The commands of this project. Each one installs what it needs.

VERSION ?= dev
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
# Where the ONNX project's backend cases are: a folder, an archive or a wheel.
# Without one, the last wheel of PyPI that holds them is fetched.
CASES   ?= $(wildcard ../shared/data/onnx-backend-tests.tar.gz)

.PHONY: build test bench bench-gateway bench-load bench-up chaos validate-capacity plans conformance examples

build: ## a static binary: ./greenlight
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o greenlight ./cmd/greenlight

test: ## everything that CI runs
	scripts/test.sh

bench: ## the figures against ONNX Runtime, net/http and Flask
	bench/run.sh

bench-gateway: ## the gateway against nginx
	bench/gateway.sh

bench-load: ## the load generator against wrk, wrk2, vegeta, hey, fortio, k6
	bench/load.sh

bench-up: ## the time to a first prediction; the costs of an idle control plane
	bench/up.sh

validate-capacity: ## capacity plans against measurements: three workloads, fitted on 1 to 4 replicas, measured at 8
	bench/capacity.sh

plans: ## capacity plans of the three examples with their grade, into docs/plans
	scripts/plans.sh

chaos: ## kills and replaces the parts of a running system under load
	bench/chaos.sh

conformance: ## the ONNX project's backend cases; writes docs/operators.md
	scripts/conformance.sh $(CASES)

examples: ## retrain the three examples from PyPI and prove them
	examples/train.sh
	for e in penguins digits co2; do go run ./cmd/greenlight prove examples/$$e || exit; done
