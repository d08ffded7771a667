"""Git repositories that people name, by a link or a form: which of them a server may be started from.

Nothing that comes from outside is trusted. What this module returns is safe to hand to git as arguments and
to put into a path or an address; whether a repository may be used at all is the deployer's list of prefixes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from carrel.domain.errors import Invalid

FIELDS = ("repo", "ref", "path")
"""What a repository is given by; only the first is needed."""
_LONGEST_URL = 500
_LONGEST_REF = 200
_LONGEST_PATH = 500
_SHOWN = 80
_PORTS = {"https": 443, "http": 80, "ssh": 22}
_URL = re.compile(
    r"(?P<scheme>https?|ssh)://(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@)?"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~+@-]*)*)",
    re.IGNORECASE | re.ASCII,
)
_REF = re.compile(r"\w[\w./+@#=,-]*")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True)
class Repository:
    """A place in a repository that is allowed."""

    repo: str
    """The address, in one spelling."""
    ref: str = ""
    """A branch, a tag or a whole commit; empty for the repository's own default."""
    path: str = ""
    """A file or directory in it, relative and without dot segments; empty for all of it."""

    @property
    def name(self) -> str:
        """Return what people call it: the last part of its address."""
        return self.repo.rsplit("/", 1)[-1].removesuffix(".git")

    @property
    def quoted_path(self) -> str:
        """Return the path as a part of an address."""
        return quote(self.path)

    @property
    def text(self) -> str:
        """Return it as one line, `REPO#REF:PATH`; `split_text` takes it apart."""
        rest = f"{self.ref}:{self.path}" if self.path else self.ref
        return f"{self.repo}#{rest}" if rest else self.repo

    def as_option(self) -> dict[str, str]:
        """Return it as JSON; `read_repository` takes it back."""
        return {"repo": self.repo, "ref": self.ref, "path": self.path}


@dataclass(frozen=True, slots=True)
class RepositoryRules:
    """What the deployer allows: prefixes of addresses, such as `https://github.com/our-school`.

    Without a scheme https is meant; `*` allows every host by https. Nothing at all is allowed by default.
    """

    allowed: tuple[str, ...] = ()
    everything: bool = False
    """Where the list is somebody else's to look at."""

    def allows(self, url: str) -> bool:
        """Tell whether an address in one spelling begins with one of the prefixes, whole segments alone."""
        if self.everything:
            return True
        if "*" in self.allowed and url.startswith("https://"):
            return True
        return any(
            f"{url}/".startswith(f"{read_prefix(prefix)}/") for prefix in self.allowed if prefix != "*"
        )


def read_prefix(text: str) -> str:
    """Return a prefix of the deployer's in the one spelling that addresses have; raises Invalid."""
    if text == "*":
        return text
    return _normal(text if "://" in text else f"https://{text}", "allowed")[0]


def split_text(text: str) -> dict[str, str]:
    """Return what a line `REPO#REF:PATH` says, all of it to be judged by `read_repository`."""
    repo, _, rest = text.strip().partition("#")
    ref, _, path = rest.partition(":")
    return {"repo": repo, "ref": ref, "path": path}


def read_repository(value: object, rules: RepositoryRules) -> Repository:
    """Return the repository that a mapping of `repo`, `ref` and `path` names, if it is allowed.

    Raises Invalid, whose `field` is the one of the three that is wrong. May be repeated on its own result.
    """
    if not isinstance(value, Mapping):
        raise Invalid("A repository is given by repo, ref and path.", field="repo")
    unknown = [str(name) for name in value if name not in FIELDS]
    if unknown:
        raise Invalid(f"A repository has no {_shown(unknown[0])}: only repo, ref and path.", field="repo")
    repo, ref, path = (_text(value, name) for name in FIELDS)
    return Repository(_read_url(repo, rules), _read_ref(ref), _read_path(path))


def _text(value: Mapping[str, object], name: str) -> str:
    text = value.get(name)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise Invalid(f"{name} must be a text.", field=name)
    return text


def _read_url(text: str, rules: RepositoryRules) -> str:
    if not text:
        raise Invalid("The address of a repository is missing.", field="repo")
    url, segments = _normal(text, "repo")
    if not segments:
        raise Invalid("The address names a host and no repository on it.", field="repo")
    if not rules.allowed and not rules.everything:
        raise Invalid("This hub starts no servers from repositories.", field="repo")
    if not rules.allows(url):
        raise Invalid(
            f"Repositories at {_shown(url)} are not among those that this hub allows.", field="repo"
        )
    return url


def _normal(text: str, field: str) -> tuple[str, list[str]]:
    """Return an address in one spelling and the segments of its path; raises Invalid."""
    if len(text) > _LONGEST_URL:
        raise Invalid(f"The address is longer than {_LONGEST_URL} characters.", field=field)
    match = _URL.fullmatch(text)
    if match is None:
        raise Invalid(
            f"'{_shown(text)}' is no address of a repository such as https://github.com/jupyter/notebook.",
            field=field,
        )
    scheme, host = match["scheme"].lower(), match["host"].lower()
    port = int(match["port"] or _PORTS[scheme])
    if not 0 < port < 65536 or ".." in host:
        raise Invalid(f"'{_shown(text)}' names no host.", field=field)
    if match["user"] and scheme != "ssh":
        raise Invalid("An address must not hold a user name or a password.", field=field)
    segments = match["path"].rstrip("/").split("/")[1:]
    if any(part in ("", ".", "..") or part.startswith("-") for part in segments):
        raise Invalid("The address has a part that is empty, a dot, or begins with a hyphen.", field=field)
    user = f"{match['user']}@" if match["user"] else ""
    shown_port = "" if port == _PORTS[scheme] else f":{port}"
    return "/".join([f"{scheme}://{user}{host}{shown_port}", *segments]), segments


def _read_ref(text: str) -> str:
    """Return a name that git takes for a branch, tag or commit and for nothing else."""
    if not text:
        return ""
    if len(text) > _LONGEST_REF:
        raise Invalid(f"The ref is longer than {_LONGEST_REF} characters.", field="ref")
    parts = text.split("/")
    odd = any(not part or part.startswith(".") or part.endswith((".lock", ".")) for part in parts)
    if not _REF.fullmatch(text) or ".." in text or odd:
        raise Invalid(f"'{_shown(text)}' is no branch, tag or commit.", field="ref")
    return text


def _read_path(text: str) -> str:
    if len(text) > _LONGEST_PATH:
        raise Invalid(f"The path is longer than {_LONGEST_PATH} characters.", field="path")
    if not text:
        return ""
    if text.startswith(("/", "~")) or "\\" in text or not text.isprintable() or _ESCAPED.search(text):
        raise Invalid(
            f"'{_shown(text)}' is no path in a repository, such as notebooks/start.ipynb.", field="path"
        )
    parts = text.removesuffix("/").split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise Invalid("The path leads out of the repository, or has an empty part.", field="path")
    return "/".join(parts)


def _shown(text: str) -> str:
    """Return a text fit for a message: what somebody sent may be of any length and hold anything."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "".join(each if each.isprintable() else "?" for each in cut)
