"""The deployer's own templates, which come before the hub's.

A page's policy lets inline scripts run by a nonce alone. Those of templates get it when they are read, so
that nothing which a template prints can ever have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from jinja2 import BaseLoader, Environment, FileSystemLoader, TemplateNotFound, TemplateSyntaxError

from carrel.http.deployers_html import SCRIPT, inline_handlers

Source = tuple[str, str | None, Callable[[], bool] | None]

#: Without quotes, so that a script's own text that writes a tag keeps its meaning.
_NONCE = "<script nonce={{ csp_nonce }}"


class WithNonces(BaseLoader):
    """Another loader's templates, with the page's nonce at every script."""

    def __init__(self, loader: BaseLoader) -> None:
        self._loader = loader

    def get_source(self, environment: Environment, template: str) -> Source:
        """Return a template's text, file and freshness; lines stay where they are."""
        text, file, fresh = self._loader.get_source(environment, template)
        return SCRIPT.sub(_NONCE, text), file, fresh

    def list_templates(self) -> list[str]:
        """Return the names of all templates."""
        return self._loader.list_templates()


class DirectoryLoader(FileSystemLoader):
    """Templates of directories; a file that cannot be read is a template that is wrong, not a missing one."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """Return a template's text, file and freshness; raises TemplateSyntaxError for an unreadable one."""
        try:
            return super().get_source(environment, template)
        except TemplateNotFound:
            raise
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise TemplateSyntaxError("it is not in UTF-8", line, template, self.find(template)) from error
        except OSError as error:
            why = f"it cannot be read: {error.strerror or error}"
            raise TemplateSyntaxError(why, 1, template, self.find(template)) from error

    def find(self, template: str) -> str:
        """Return the file of a template that one of the directories has."""
        files = [Path(directory) / template for directory in self.searchpath]
        return next((str(file) for file in files if file.is_file()), template)


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a template, and where."""

    file: str
    line: int
    """From 1; 0 when it is no matter of one line."""
    text: str

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{place}: {self.text}"


def find_flaw(error: Exception, directories: Sequence[str]) -> Flaw | None:
    """Return what is wrong with a template in one of `directories`; None when the error comes of none."""
    if isinstance(error, TemplateSyntaxError):
        file = error.filename or error.name or ""
        inside = _is_below(file, directories)
        return Flaw(file, error.lineno, error.message or "it cannot be read") if inside else None
    places = [(file, line) for file, line in _frames(error.__traceback__) if _is_below(file, directories)]
    if not places:
        return None
    return Flaw(*places[-1], describe(error))


def describe(error: Exception) -> str:
    """Return what happened while a template was rendered, in a few words."""
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name}"
    if isinstance(error, RecursionError):
        return 'it extends itself without end: extend "templates/NAME.html", which is the hub\'s own'
    return f"{type(error).__name__}: {error}"


def handlers_below(directories: Sequence[str]) -> frozenset[str]:
    """Return the hashes of the inline handlers in all templates of `directories`."""
    texts = [
        file.read_text(errors="replace") for directory in directories for file in templates_in(directory)
    ]
    return frozenset[str]().union(*map(inline_handlers, texts))


def templates_in(directory: str) -> Iterator[Path]:
    """Yield the templates below a directory, in the order of their names."""
    yield from (file for file in sorted(Path(directory).rglob("*.html")) if file.is_file())


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def _is_below(file: str, directories: Sequence[str]) -> bool:
    return any(Path(file).is_relative_to(directory) for directory in directories)
