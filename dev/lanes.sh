#!/usr/bin/env bash
# Usage: dev/lanes.sh [PYTHON]
# Runs the whole suite in two lanes beside each other: tests that only calculate, and those that start processes and wait for
# them. Its status is 0 when both passed.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${1:-.venv/bin/python}
quick=$(mktemp)
"$python" -m pytest -ra --durations=10 -m "not real and not e2e" >"$quick" 2>&1 &
calculating=$!
# Of a trap under errexit the first command that fails makes the status: there is nothing left to end when all went well.
trap 'kill "$calculating" 2>/dev/null || true; rm -f "$quick"' EXIT
failed=0
"$python" -m pytest -ra --durations=40 -m "real or e2e" || failed=1
wait "$calculating" || failed=1
echo "== Tests that start no process"
cat "$quick"
exit $failed
