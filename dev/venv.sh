#!/usr/bin/env bash
# Usage: dev/venv.sh [GROUP ...]
# Makes .venv with Carrel, its client and JupyterLab, plus pyproject's dependency groups; instant when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
. dev/python.sh

inputs="$("$PYTHON" -V) $(cat pyproject.toml packages/carrel-client/pyproject.toml)"
stamp=.venv/.carrel-$(IFS=-; echo "${*:-run}")
# As pip does for what it installs: without it every start compiles, where Python may not write beside its sources.
compile_sources() {
  .venv/bin/python -m compileall -q src packages/carrel-client/src
}

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$inputs" ]; then
  compile_sources
  exit 0
fi

install_venv_module() {
  local package
  package=python$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$PYTHON cannot make virtual environments here. On Debian or Ubuntu: sudo apt-get install $package" >&2
    exit 1
  fi
  echo "== Installing $package"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" </dev/null
}

if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
  "$PYTHON" -c 'import venv; from ensurepip import version' >/dev/null 2>&1 || install_venv_module
  echo "== Making .venv with $("$PYTHON" -V)"
  "$PYTHON" -m venv --clear .venv
fi

pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input)
echo "== Installing Carrel, its client and JupyterLab into .venv (once; a minute or two)"
"${pip[@]}" install --quiet --upgrade "pip>=25.1"
groups=()
for group in "$@"; do
  groups+=(--group "$group")
done
"${pip[@]}" install --progress-bar on -e "packages/carrel-client[lab]" -e . "${groups[@]}" |
  sed -u -n -E -e 's/^(Collecting|Downloading) ([^ ]+).*/   \1 \2/p' -e 's/^Installing collected.*/   Installing/p'
compile_sources
printf '%s' "$inputs" >"$stamp"
echo "== .venv is ready"
