PORT ?= 8000
SEEDS ?= 1000
FROM ?= 1

.DEFAULT_GOAL := help
.PHONY: help run test check sim bench bench-leaks bench-proxy

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start a throw-away Carrel on this machine: make run [PORT=8000]
	@dev/venv.sh && exec .venv/bin/carrel demo --port $(PORT)

test: ## install what the tests need and run them all: make test [ARGS="-k name"]
	@dev/test.sh $(ARGS)

check: ## lint, types, import layers and the quick tests, in under a minute
	@dev/check.sh

sim: ## simulate failures, seed by seed: make sim [SEEDS=1000 FROM=1], make sim REPLAY=SEED|FILE [ARGS=--shrink]
	@dev/venv.sh test && exec .venv/bin/python -m tests.simulation \
	  $(if $(REPLAY),--replay $(REPLAY),--seeds $(SEEDS) --first $(FROM)) $(ARGS)

bench-leaks: ## ten minutes of hostile traffic at the data plane: make bench-leaks [ARGS="--minutes 1"]
	@dev/venv.sh test && exec .venv/bin/python -m bench.leaks $(ARGS)

bench-proxy: ## measure carrel-proxy beside other proxies: make bench-proxy [ARGS="--only carrel get"]
	@dev/bench-proxy.sh $(ARGS)

bench: ## measure Carrel beside JupyterHub: make bench [ARGS=--quick]
	@dev/bench.sh $(ARGS)
