"""The labels by which a container or service of a hub's is found again.

Unlike variables, they are not its user's to forge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from carrel.spawners.docker import inspection
from carrel.spawners.reports import Orphan

HUB = "carrel.hub-id"
SERVER = "carrel.server-id"
GENERATION = "carrel.generation"
USER = "carrel.user"
REMOVE = "carrel.remove"
"""Whether it goes with its run."""
REPOSITORY = "carrel.repository"
"""From which Git repository it is started each time; empty for none."""


def make(hub_id: str, run: tuple[int, int], user: str, *, remove: bool) -> dict[str, str]:
    """Return the labels of a run, a server's id and a generation."""
    return {
        HUB: hub_id,
        SERVER: str(run[0]),
        GENERATION: str(run[1]),
        USER: user,
        REMOVE: "true" if remove else "false",
    }


def of_server(marks: Mapping[str, str]) -> dict[str, str]:
    """Return those of the labels that all runs of a server have."""
    return {key: marks[key] for key in (HUB, SERVER)}


def are_of_run(found: Mapping[str, str] | None, marks: Mapping[str, str]) -> bool:
    """Tell whether labels are those of exactly this run."""
    return all((found or {}).get(key) == marks[key] for key in (HUB, SERVER, GENERATION))


def same_server(found: Mapping[str, str] | None, marks: Mapping[str, str]) -> bool:
    """Tell whether labels are those of any run of this server."""
    return all((found or {}).get(key) == value for key, value in of_server(marks).items())


def belongs(seen: Mapping[str, Any], marks: Mapping[str, str], owner: tuple[str, str]) -> bool:
    """Tell whether a container is a server's: by its labels, or by the variables that dockerspawner gave it.

    `owner` is the names of user and server.
    """
    found = seen["Config"].get("Labels") or {}
    if HUB in found:
        return same_server(found, marks)
    env = inspection.environment(seen)
    return (env.get("JUPYTERHUB_USER"), env.get("JUPYTERHUB_SERVER_NAME", "")) == owner


def orphans(listed: Iterable[Mapping[str, Any]], known: Collection[tuple[int, int]]) -> list[Orphan]:
    """Return which of a hub's listed containers are none of the known runs and should be gone."""
    servers = {server_id for server_id, _ in known}
    found = []
    for seen in listed:
        marks = seen["Labels"]
        try:
            key = (int(marks[SERVER]), int(marks[GENERATION]))
        except (KeyError, ValueError):
            continue
        goes = marks.get(REMOVE) == "true" or seen["State"] == "created"
        rests = seen["State"] in ("exited", "dead") and not goes
        # A container that stays is started again by a later run, under the marks that it was made with.
        resumed = key[0] in servers and not goes
        if key not in known and not rests and not resumed:
            state = {"object_id": seen["Id"], "object_name": seen["Names"][0].lstrip("/")}
            found.append(Orphan(*key, state, user_name=marks.get(USER, "")))
    return found
