#!/usr/bin/env bash
# Usage: dev/cache-venv.sh NAME REQUIREMENT ...
# Makes .cache/NAME, a virtual environment with these packages from PyPI; instant when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."
. dev/python.sh

name=$1
shift
directory=${CARREL_CACHE:-.cache}/$name
if [ -f "$directory/.carrel" ] && [ "$(cat "$directory/.carrel")" = "$*" ]; then
  exit 0
fi
echo "== Making $directory with $*"
.venv/bin/python -m venv --clear "$directory"
"$directory/bin/python" -m pip --disable-pip-version-check --no-input install --quiet "$@"
printf '%s' "$*" >"$directory/.carrel"
