#!/usr/bin/env bash
# Usage: dev/bench-proxy.sh [ARGUMENT ...]
# Installs wrk, nginx, HAProxy and configurable-http-proxy where possible, and measures carrel-proxy beside them.
set -euo pipefail
cd "$(dirname "$0")/.."

dev/setup-backends.sh wrk nginx-light haproxy openssl util-linux
dev/venv.sh test
dev/cache-chp.sh || echo "== configurable-http-proxy is left out" >&2
exec .venv/bin/python -m bench.proxy "$@"
