#!/usr/bin/env bash
# Usage: dev/bench-start.sh [ARGUMENT ...]
# Installs JupyterHub from PyPI and configurable-http-proxy from npm where possible, and measures starts of servers.
set -euo pipefail
cd "$(dirname "$0")/.."

dev/venv.sh lint test
dev/cache-venv.sh jupyterhub-6 "jupyterhub==6.1.1" jupyterlab ||
  echo "== JupyterHub 6.1.1 cannot be installed: Carrel is measured alone" >&2
dev/cache-chp.sh || echo "== Carrel is measured alone" >&2
exec .venv/bin/python -m bench.starts "$@"
