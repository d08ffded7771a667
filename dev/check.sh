#!/usr/bin/env bash
# Usage: dev/check.sh [--no-tests]
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
run lint-imports
# Beside each other: each has one core to itself on most machines.
types=$(mktemp)
trap 'rm -f "$types"' EXIT
mypy >"$types" 2>&1 &
checking=$!
# As dev/venv.sh does for the sources: else pytest compiles every test file in each run.
unset PYTHONDONTWRITEBYTECODE
[ "${1:-}" = --no-tests ] || run python -m pytest -q -m "not real and not e2e and not seeds"
echo "== mypy"
wait "$checking" || failed+=(mypy)
cat "$types"
if [ ${#failed[@]} -gt 0 ]; then
  (IFS=,; echo "== Failed: ${failed[*]}" >&2)
  exit 1
fi
