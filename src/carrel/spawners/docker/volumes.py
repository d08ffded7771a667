"""Volumes and mounts: from settings with templates to what the engine takes."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from carrel.spawners.docker.host_options import size
from carrel.spawners.errors import StartError

Expand = Callable[[str], str]
_MODES = {"ro", "rw", "z", "Z", "shared", "rshared", "slave", "rslave", "private", "rprivate", "nocopy"} | {
    *("consistent", "cached", "delegated")
}


@dataclass(frozen=True, slots=True)
class Volume:
    """A directory of the engine's machine or a named volume, and where a container sees it."""

    source: str
    target: str
    mode: str = "rw"

    @property
    def bind(self) -> str:
        """Return it as `source:target:mode`."""
        return f"{self.source}:{self.target}:{self.mode}"

    def mount(self, driver: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return it as a mount; `driver` is what a named volume is made by."""
        is_bind = self.source.startswith("/")
        found: dict[str, Any] = {
            "Type": "bind" if is_bind else "volume",
            "Source": self.source,
            "Target": self.target,
            "ReadOnly": "ro" in self.mode.split(","),
        }
        if driver and not is_bind:
            found["VolumeOptions"] = {"DriverConfig": dict(driver)}
        return found


def read_volumes(setting: str, given: Mapping[Any, Any], expand: Expand, *, mode: str = "rw") -> list[Volume]:
    """Return the volumes of a setting `{source: target}`, where a target may be `{"bind": …, "mode": …}`.

    `expand` fills in templates. Raises StartError, naming the setting, for what is no volume.
    """
    found = []
    for source, where in given.items():
        if isinstance(where, Mapping):
            target = where.get("bind")
            wanted = str(where.get("mode") or ("ro" if where.get("ro") else mode))
        else:
            target, wanted = where, mode
        if not isinstance(source, str) or not isinstance(target, str):
            raise StartError(f"{setting}: {source!r} is mounted at {target!r}, which is no path.", hint=_HINT)
        if mode == "ro":
            wanted = ",".join(["ro", *(word for word in wanted.split(",") if word not in ("ro", "rw"))])
        if unknown := set(wanted.split(",")) - _MODES:
            raise StartError(f"{setting}: {source!r} has the mode {sorted(unknown)[0]!r}.", hint=_HINT)
        found.append(
            Volume(checked(setting, source, expand), checked(setting, target, expand, inside=True), wanted)
        )
    return found


def checked(setting: str, template: str, expand: Expand, *, inside: bool = False) -> str:
    """Return a path or name with its template filled in; raises StartError when names lead it elsewhere.

    What people choose goes into templates, and must neither climb to another directory nor add a mode.
    """
    path = expand(template)
    named = f"{setting}: {template!r} became {path[:200]!r}"
    if any(character in path for character in ":\0\n"):
        raise StartError(f"{named}, which has a character that no volume may have.", hint=_HINT)
    # An empty name would show the directory that everybody's are in.
    climbs = path.split("/").count("..") > template.split("/").count("..")
    climbs = climbs or len(_parts(path)) < len(_parts(template))
    if climbs or (inside and not path.startswith("/")):
        reason = "which leads to another directory" if climbs else "and has to begin with a slash"
        raise StartError(f"{named}, {reason}.", hint=_HINT)
    if path.startswith("/") and not template.startswith(("/", "{")):
        raise StartError(f"{named}, which is no name of a volume.", hint=_HINT)
    return posixpath.normpath(path) if path.startswith("/") else path


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


_OPTIONS: Mapping[str, tuple[str, str]] = {
    "propagation": ("BindOptions", "Propagation"),
    "no_copy": ("VolumeOptions", "NoCopy"),
    "labels": ("VolumeOptions", "Labels"),
    "driver_config": ("VolumeOptions", "DriverConfig"),
    "tmpfs_size": ("TmpfsOptions", "SizeBytes"),
    "tmpfs_mode": ("TmpfsOptions", "Mode"),
}
_PLAIN = {
    "target": "Target",
    "source": "Source",
    "type": "Type",
    "read_only": "ReadOnly",
    "consistency": "Consistency",
}


def read_mount(given: Any, expand: Expand) -> dict[str, Any]:
    """Return a mount as the API has it, of one with docker-py's names or the API's own."""
    setting = "c.DockerSpawner.mounts"
    if not isinstance(given, Mapping):
        raise StartError(f"{setting}: {given!r:.80} is no mount.", hint=_HINT)
    found: dict[str, Any] = {"Type": "volume", "ReadOnly": False}
    for name, value in given.items():
        key = str(name)
        if key in _OPTIONS:
            group, option = _OPTIONS[key]
            found.setdefault(group, {})[option] = size(value) if key == "tmpfs_size" else value
        elif key in _PLAIN or key[:1].isupper():
            found[_PLAIN.get(key) or key] = value
        else:
            raise StartError(f"{setting} has no {key!r}.", hint=_HINT)
    if not isinstance(found.get("Target"), str):
        raise StartError(f"{setting}: a mount has no target.", hint=_HINT)
    found["Target"] = checked(setting, found["Target"], expand, inside=True)
    if isinstance(found.get("Source"), str):
        found["Source"] = checked(setting, found["Source"], expand)
    return found


_HINT = "The administrator has to correct it, or what people may choose in it."
