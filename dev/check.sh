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
# As dev/venv.sh does for the sources: else pytest compiles every test file in each run.
unset PYTHONDONTWRITEBYTECODE
# A share of the test files: with two of them, every second one. The same files each time, in the same order:
# what a test finds does not depend on which process was faster.
shares=2
quick_tests() {
  local files
  mapfile -t files < <(find tests packages/carrel-client/tests -name 'test_*.py' | LC_ALL=C sort |
    awk -v n="$shares" -v i="$1" 'NR % n == i')
  exec python -m pytest -q -m "not real and not e2e and not seeds" "${files[@]}"
}
# Types and tests beside each other, from the start.
outputs=$(mktemp -d)
others=()
trap '[ ${#others[@]} -eq 0 ] || kill "${others[@]}" 2>/dev/null; rm -rf "$outputs"' EXIT
begin() {
  "${@:2}" >"$outputs/$1" 2>&1 &
  others+=($!)
}
begin mypy mypy
if [ "${1:-}" != --no-tests ]; then
  for share in $(seq "$shares"); do
    begin "pytest $share of $shares" quick_tests $((share % shares))
  done
fi
run ruff check .
run ruff format --check .
run lint-imports
finish() {
  wait "$2" || failed+=("$1")
  echo "== $1"
  cat "$outputs/$1"
}
finish mypy "${others[0]}"
for ((share = 1; share < ${#others[@]}; share++)); do
  finish "pytest $share of $shares" "${others[share]}"
done
others=()
if [ ${#failed[@]} -gt 0 ]; then
  (IFS=,; echo "== Failed: ${failed[*]}" >&2)
  exit 1
fi
