"""How a template is started: as nobody, with room for what others will be called."""

from __future__ import annotations

import os

# Put together, so that no constant of this file holds what is searched for.
MARK = "-".join(("carrel", "warm", "start"))
#: A home, names and places that exist nowhere else. JupyterHub's modules read the last two when imported.
MARKS = {
    "HOME": f"/nonexistent/{MARK}-home",
    "USER": f"{MARK}-user",
    "LOGNAME": f"{MARK}-login",
    "JUPYTERHUB_SERVICE_PREFIX": f"/{MARK}-prefix/",
    "JUPYTERHUB_API_URL": f"http://{MARK}-api.invalid/hub/api",
}
#: Those that every server has.
CONTRACT = ("JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_API_URL")
_ARGUMENTS_ROOM = 16 << 10
_ENVIRONMENT_ROOM = 96 << 10
_PAD = "CARREL_WARM_START_ROOM"


def padding() -> tuple[list[str], dict[str, str]]:
    """Return arguments and variables that make room for those of servers: see `proc_strings`."""
    return ["--room=" + "-" * _ARGUMENTS_ROOM], {_PAD: "-" * _ENVIRONMENT_ROOM}


def forget_padding() -> None:
    """Take the padding out of this process's variables: nobody else should come across it."""
    os.environ.pop(_PAD, None)
