#!/usr/bin/env bash
# Usage: dev/bench.sh [ARGUMENT ...]
# Installs JupyterHub from PyPI and configurable-http-proxy from npm where possible, and measures Carrel beside them.
set -euo pipefail
cd "$(dirname "$0")/.."

dev/venv.sh lint test
cache=${CARREL_CACHE:-.cache}
dev/cache-venv.sh jupyterhub-6 "jupyterhub==6.1.1" jupyterlab ||
  echo "== JupyterHub 6.1.1 cannot be installed: Carrel is measured alone" >&2
if [ ! -x "$cache/chp/node_modules/.bin/configurable-http-proxy" ]; then
  if command -v npm >/dev/null; then
    echo "== Installing configurable-http-proxy into $cache/chp"
    npm install --silent --no-fund --no-audit --prefix "$cache/chp" configurable-http-proxy@5 ||
      echo "== configurable-http-proxy cannot be installed: Carrel is measured alone" >&2
  else
    echo "== npm is not here, so configurable-http-proxy is not either: Carrel is measured alone" >&2
  fi
fi
exec .venv/bin/python -m bench "$@"
