#!/usr/bin/env bash
# Makes .cache/chp with configurable-http-proxy 5.3 from npm; instant when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

release=5.3
directory=${CARREL_CACHE:-.cache}/chp
if [ -f "$directory/.carrel" ] && [ "$(cat "$directory/.carrel")" = "$release" ]; then
  exit 0
fi
if ! command -v npm >/dev/null; then
  echo "== npm is not here, so configurable-http-proxy cannot be installed" >&2
  exit 1
fi
echo "== Installing configurable-http-proxy $release into $directory"
npm install --silent --no-fund --no-audit --prefix "$directory" "configurable-http-proxy@$release"
printf '%s' "$release" >"$directory/.carrel"
