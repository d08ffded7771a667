"""Images: their names, which of them people may choose, and how far a pull has come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape as html
from typing import Any

from carrel.spawners.errors import StartError

#: After github.com/distribution/reference: host, path of names in small letters, tag, digest.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<host>[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d{{1,5}})?|\[[0-9a-fA-F:]+\](?::\d{{1,5}})?)/)?"
    rf"(?P<path>{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-f]{{32,}}))?",
    re.ASCII,
)
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_LONGEST = 512
_HUB = "https://index.docker.io/v1/"
ANY = "*"


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image, taken apart."""

    text: str
    repository: str
    """Host and path, as the engine is asked to pull it."""
    tag: str
    """Tag or digest; empty for the id of an image that is there already."""
    registry: str
    """Whose credentials are used: a host, or the address by which Docker Hub is known in files."""


def parse_image(text: str) -> Reference:
    """Return an image's name in its parts; raises StartError for what is none."""
    found = _REFERENCE.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise StartError(f"image: {text[:200]!r} is no name of an image.", hint=_HINT)
    if _ID.fullmatch(text):
        return Reference(text, text, "", "")
    host, path = found["host"], found["path"]
    if host and not (any(mark in host for mark in ".:") or host == "localhost"):
        # A part of the path: only with a dot or a port is it a host.
        path, host = f"{host}/{path}", None
    repository = f"{host}/{path}" if host else path
    tag = found["digest"] or found["tag"] or "latest"
    known = host if host and host not in ("docker.io", "index.docker.io") else _HUB
    return Reference(text, repository, tag, known)


def choices(allowed: Any) -> Mapping[str, str]:
    """Return what people choose from, label to image, of a list or dictionary; empty for nothing.

    Raises StartError for what is neither.
    """
    if not allowed:
        return {}
    if isinstance(allowed, Mapping):
        return {str(label): str(image) for label, image in allowed.items()}
    if isinstance(allowed, list | tuple | set | frozenset):
        return {str(image): str(image) for image in allowed}
    raise StartError(
        f"c.DockerSpawner.allowed_images gave {type(allowed).__name__}.",
        hint="The administrator has to make it a list, a dictionary of label to image, or '*' for any image.",
    )


def choose(allowed: Any, wanted: object) -> str:
    """Return the image that is chosen by a label; raises StartError, naming the field, when it may not be."""
    if not isinstance(wanted, str) or not wanted:
        raise StartError(f"image: the name of an image is a text, not {type(wanted).__name__}.", hint=_HINT)
    if allowed == ANY:
        return parse_image(wanted).text
    listed = choices(allowed)
    if wanted not in listed:
        several = ", ".join(list(listed)[:20])
        known = f"; there are: {several}" if listed else ": this hub lets nobody choose one"
        raise StartError(f"image: {wanted[:200]!r} is not allowed{known}.", hint=_HINT)
    return listed[wanted]


def form(allowed: Mapping[str, str], present: str) -> str:
    """Return the HTML of the choice, with the image that is chosen without one first."""
    labels = sorted(allowed, key=lambda label: allowed[label] != present and label != present)
    options = "".join(f'<option value="{html(label)}">{html(label)}</option>' for label in labels)
    return (
        '<label for="image">Image</label>'
        f'<select class="form-control" id="image" name="image" required autofocus>{options}</select>'
    )


def free_form(present: str) -> str:
    """Return the HTML of a field for any image."""
    return (
        '<label for="image">Image</label>'
        f'<input class="form-control" id="image" name="image" required autofocus value="{html(present)}">'
    )


_HINT = "Choose one that this hub offers."
#: Of a layer's work the download is most; unpacking is the rest.
_DOWNLOADED = 0.7
_DONE = {"Pull complete", "Already exists", "Download complete"}


@dataclass(slots=True)
class Pull:
    """How far a pull is, told by the engine line by line."""

    image: str
    _layers: dict[str, float] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _told: int = -1

    def hear(self, line: Mapping[str, Any]) -> str | None:
        """Take in a line and return a sentence when the percentage has changed, else None."""
        layer, status = str(line.get("id") or ""), str(line.get("status") or "")
        if not layer or status.startswith("Pulling from"):
            return None
        detail = line.get("progressDetail") or {}
        current, total = detail.get("current") or 0, detail.get("total") or 0
        part = self._layers.get(layer, 0.0)
        if total > 0:
            self._sizes[layer] = max(self._sizes.get(layer, 0), int(total))
        if status == "Downloading" and total > 0:
            part = max(part, _DOWNLOADED * min(1.0, current / total))
        elif status == "Extracting" and total > 0:
            part = max(part, _DOWNLOADED + (1 - _DOWNLOADED) * min(1.0, current / total))
        elif status in _DONE:
            part = max(part, _DOWNLOADED) if status == "Download complete" else 1.0
        self._layers[layer] = part
        percent = self.percent
        if percent <= self._told:
            return None
        self._told = percent
        ready = sum(part == 1.0 for part in self._layers.values())
        return f"Pulling {self.image}: {percent} % ({ready} of {len(self._layers)} layers)"

    @property
    def percent(self) -> int:
        """Return how much is done, by bytes where the engine tells them."""
        known = [size for size in self._sizes.values() if size]
        usual = sum(known) / len(known) if known else 1.0
        weights = {layer: self._sizes.get(layer) or usual for layer in self._layers}
        whole = sum(weights.values())
        return int(100 * sum(self._layers[layer] * weight for layer, weight in weights.items()) / whole)
