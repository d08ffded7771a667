"""Which environment variables imported modules have looked at.

A value that a module read while it was imported is in its constants, in whatever form. A server for which the
variable has another value than it had in the template has to be started the usual way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from carrel.warmstart.marks import CONTRACT, MARKS

#: Read by the interpreter or the C library before any of our code runs.
_BEFORE_MAIN = ("PYTHON", "LD_", "MALLOC_", "GLIBC_", "LOCPATH", "NLSPATH", "GCONV_", "OPENSSL_", "SSL_CERT_")
_LOCALE = ("LANG", "LANGUAGE", "LC_", "TZ")
#: Read by imported modules, and usually the same for everybody.
_SITE_WIDE = frozenset(
    {
        *(
            "http_proxy",
            "https_proxy",
            "all_proxy",
            "no_proxy",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "NO_PROXY",
        ),
        *("JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "JUPYTER_PREFER_ENV_PATH", "JUPYTER_PLATFORM_DIRS"),
        *("JUPYTERLAB_DIR", "KERNEL_LAUNCH_TIMEOUT", "JUPYTERHUB_SINGLEUSER_APP", "TERM"),
    }
)


#: Modules that stand between `os.environ` and who asks it.
_BETWEEN = frozenset({"os", "_collections_abc", "collections.abc", __name__})
#: Readers in whose hands no value stays: the first copies all variables, and `heal` puts the copy right; the
#: second looks for a program to say in a signature what it is configured to.
_FORGETFUL = frozenset({"wsgiref.handlers", "jupyterlab_server.process"})


class _Watched(os._Environ):  # type: ignore[type-arg]
    """`os.environ` that notes the names it is asked for."""

    def __getitem__(self, key: str) -> str:
        if _reader() not in _FORGETFUL:
            self.__dict__.setdefault("asked", set()).add(key)
        return str(super().__getitem__(key))


def _reader() -> str:
    """Return the name of the module that asks."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__") in _BETWEEN:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))


def watch() -> None:
    """Note from now on what is read of `os.environ`."""
    os.environ.__class__ = _Watched


def seen() -> frozenset[str]:
    """Stop it, and return the names that were asked for one by one or all together."""
    asked = os.environ.__dict__.pop("asked", set())
    os.environ.__class__ = os._Environ
    return frozenset(name for name in asked if isinstance(name, str))


def reason_for_exec(env: Mapping[str, str], template: Mapping[str, str], read: frozenset[str]) -> str:
    """Return why a server with this environment cannot come from this template; empty when it can."""
    odd = sorted(name for name in env if name.startswith(_BEFORE_MAIN))
    if odd:
        return f"{', '.join(odd)} has to be there when Python starts"
    missing = [name for name in CONTRACT if name not in env]
    if missing:
        return f"{', '.join(missing)} is not set"
    changed = sorted(name for name in _fixed(env, template, read) if env.get(name) != template.get(name))
    return f"{', '.join(changed)} differs from when modules were imported" if changed else ""


def shared(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a template is started with: only servers that have the same come from it."""
    return {name: value for name, value in env.items() if name.startswith(_LOCALE) or name in _SITE_WIDE}


def _fixed(env: Mapping[str, str], template: Mapping[str, str], read: frozenset[str]) -> Iterator[str]:
    # What was made of the marks is put right in each child by `heal`.
    yield from read - MARKS.keys()
    yield from {*shared(env), *shared(template)}
