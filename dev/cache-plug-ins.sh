#!/usr/bin/env bash
# Makes .cache/plug-ins: what Carrel depends on, and the newest third-party plug-ins; instant when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t plugins < <(.venv/bin/python dev/dependencies.py && sed "s/ *#.*//" tests/plugins/requirements.txt)
dev/cache-venv.sh plug-ins "${plugins[@]}" ||
  echo "== Third-party plug-ins cannot be installed: tests that need them are skipped" >&2
dev/cache-docker-image.sh || echo "== No image for containers: tests that need it are skipped" >&2
