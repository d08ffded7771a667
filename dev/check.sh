#!/usr/bin/env bash
# Lint, types, import layers and the tests that start no process; everything is run, whatever fails.
set -uo pipefail
cd "$(dirname "$0")/.."

dev/venv.sh lint test || exit 1
export PATH="$PWD/.venv/bin:$PATH"
failed=()
run() {
  echo "== $*"
  "$@" || failed+=("$1${2:+ $2}")
}
run ruff check .
run ruff format --check .
run mypy
run lint-imports
run python -m pytest -q -m "not real and not e2e and not seeds"
if [ ${#failed[@]} -gt 0 ]; then
  (IFS=,; echo "== Failed: ${failed[*]}" >&2)
  exit 1
fi
