#!/usr/bin/env bash
# Usage: dev/test.sh [PYTEST ARGUMENT ...]
# Prepares everything that the whole suite needs, then runs it and says what was skipped and why.
set -euo pipefail
cd "$(dirname "$0")/.."

dev/setup-backends.sh
dev/venv.sh lint test
for release in 6.1.1 '5.*'; do
  dev/cache-venv.sh "jupyterhub-${release%%.*}" "jupyterhub==$release" jupyterlab ||
    echo "== JupyterHub $release cannot be installed: tests that need it are skipped" >&2
done
# Older ones need what was current then; only their databases are of interest.
while read -r major requirements; do
  # shellcheck disable=SC2086 - several words are meant
  dev/cache-venv.sh "jupyterhub-$major" $requirements cryptography </dev/null ||
    echo "== JupyterHub $major cannot be installed: its databases are not imported" >&2
done <<'END'
1 jupyterhub==1.5.1 sqlalchemy<1.4 tornado<6.2 traitlets<5.10 setuptools<80
2 jupyterhub==2.3.1 sqlalchemy<2 tornado<6.3 setuptools<80
3 jupyterhub==3.1.1 sqlalchemy<2 setuptools<80
4 jupyterhub==4.1.6 setuptools<80
END
dev/cache-venv.sh schemathesis-4 'schemathesis>=4,<5' ||
  echo "== schemathesis cannot be installed: no requests are made from the API's description" >&2
dev/cache-plug-ins.sh
dev/cache-oidc-provider.sh || echo "== No OpenID provider: tests that need it are skipped" >&2
dev/cache-chp.sh || echo "== carrel-proxy is not compared with configurable-http-proxy" >&2
export PATH="$PWD/.venv/bin:$PATH"
# As dev/venv.sh does for the sources: else pytest compiles every test file in each run.
unset PYTHONDONTWRITEBYTECODE
[ $# -eq 0 ] || exec .venv/bin/python -m pytest -ra "$@"

dev/lanes.sh
