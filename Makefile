PORT ?= 8000
N ?= 1000
MINUTES ?= 10

SEEDS ?= 1000
FROM ?= 1

.DEFAULT_GOAL := help
.PHONY: help run test check plug-ins chaos replicas sim bench bench-api bench-leaks bench-proxy bench-start

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start a throw-away Carrel on this machine: make run [PORT=8000]
	@dev/venv.sh && exec .venv/bin/carrel demo --port $(PORT)

test: ## install what the tests need and run them all: make test [ARGS="-k name"]
	@dev/test.sh $(ARGS)

check: ## lint, types, import layers and the quick tests, in a minute or two
	@dev/check.sh $(ARGS)

plug-ins: ## run third-party plug-ins and rewrite their page: make plug-ins [ARGS=tests/plugins/test_x.py]
	@dev/plug-ins.sh $(ARGS)

chaos: ## kill -9 hub and data plane N times in a storm of starts and stops: make chaos [N=1000] [ARGS="--seed 7"]
	@dev/venv.sh test && exec .venv/bin/python -m tests.chaos --kills $(N) $(ARGS)

replicas: ## three hubs on one PostgreSQL, killed and restarted under load: make replicas [MINUTES=10]
	@dev/setup-backends.sh && dev/venv.sh test && exec .venv/bin/python -m tests.replicas.storm --minutes $(MINUTES)

sim: ## simulate failures, seed by seed: make sim [SEEDS=1000 FROM=1], make sim REPLAY=SEED|FILE [ARGS=--shrink]
	@dev/venv.sh test && exec .venv/bin/python -m tests.simulation \
	  $(if $(REPLAY),--replay $(REPLAY),--seeds $(SEEDS) --first $(FROM)) $(ARGS)

bench-leaks: ## ten minutes of hostile traffic at the data plane: make bench-leaks [ARGS="--minutes 1"]
	@dev/venv.sh test && exec .venv/bin/python -m bench.leaks $(ARGS)

bench-proxy: ## measure carrel-proxy beside other proxies: make bench-proxy [ARGS="--only carrel get"]
	@dev/bench-proxy.sh $(ARGS)

bench-api: ## measure the API's speed beside JupyterHub: make bench-api [ARGS="--only carrel 100k"]
	@dev/bench-api.sh $(ARGS)

bench-start: ## measure starts of notebook servers beside JupyterHub: make bench-start [ARGS=--quick]
	@dev/bench-start.sh $(ARGS)

bench: ## measure Carrel beside JupyterHub: make bench [ARGS=--quick]
	@dev/bench.sh $(ARGS)
