#!/usr/bin/env bash
# Usage: dev/plug-ins.sh [PYTEST ARGUMENT ...]
# Runs the suites of third-party plug-ins, or those named, and rewrites the page that says what came of them.
set -euo pipefail
cd "$(dirname "$0")/.."

dev/setup-backends.sh
dev/venv.sh lint test
dev/cache-plug-ins.sh
dev/cache-oidc-provider.sh || echo "== No OpenID provider: tests that need it are skipped" >&2
export PATH="$PWD/.venv/bin:$PATH"
case ${1:-} in
  *.py*) ;;
  *) set -- tests/plugins "$@" ;;
esac
exec .venv/bin/python -m pytest --plug-in-table docs/reference/plug-ins.md "$@"
