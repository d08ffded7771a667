#!/bin/sh
# A kernel that every user of this machine finds: its specification goes below /usr/local/share/jupyter.
# Usage: install-kernel.sh NAME DISPLAY-NAME [PYTHON]
# PYTHON is the interpreter of the kernel, with ipykernel installed; each user's account must be able to run it.
set -eu
name=$1 display=$2 python=${3:-python3}
"$python" -m ipykernel install --prefix=/usr/local --name="$name" --display-name="$display"
