# Sourced: sets PYTHON to the newest suitable Python of this machine, or ends with one line that says what is missing.
# A version manager's stub may be found under a name and run nothing, so each candidate has to answer.
PYTHON=${PYTHON:-}
if [ -z "$PYTHON" ]; then
  for candidate in python3.14 python3.13 python3.12 python3.11 python3 /usr/bin/python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      PYTHON=$candidate
      break
    fi
  done
fi
if [ -z "$PYTHON" ]; then
  echo "Carrel needs Python 3.11 or newer, and none was found. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2
  exit 1
fi
