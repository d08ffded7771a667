"""Ask for a user's password and keep its hash: `carrel python add_user.py NAME`."""

import getpass
import json
import os
import sys
from pathlib import Path

from jupyterhub.utils import hash_token

name, file = sys.argv[1], Path("passwords.json")
hashes = json.loads(file.read_text()) if file.exists() else {}
asked = getpass.getpass(f"Password of {name}: ") if sys.stdin.isatty() else sys.stdin.readline()
hashes[name] = hash_token(asked.rstrip("\n"))
fresh = file.with_suffix(".new")
with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
    json.dump(hashes, written, indent=1)
# In one step: the hub never reads half a file.
fresh.replace(file)
