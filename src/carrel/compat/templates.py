"""The templates of plug-ins' pages: the hub's, and what plug-ins add while they run."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, TemplateNotFound
from jinja2.ext import Extension

from carrel.http.deployers_html import SCRIPT, inline_handlers
from carrel.http.request import DeployersHtml


class Nonces(Extension):
    """Lets scripts run that stand in templates: those of plug-ins know no nonces.

    What is rendered into a page is not looked at: only the templates' own text is trusted.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return a template with the page's nonce at each of its scripts."""
        return SCRIPT.sub('<script nonce="{{ csp_nonce }}"', source)


class PluginTemplates(Environment):
    """A Jinja environment of which plug-ins wrap the loader, some of them at each request.

    Loaders that look into the same directories count as one: the list does not grow, and what was compiled
    stays. `directories` are looked into last.
    """

    def __init__(self, hub: Environment, directories: Iterable[Path]) -> None:
        self._hub = hub
        self._directories = tuple(directories)
        self._ours: dict[str, bool] = {}
        own = hub.loader or ChoiceLoader([])
        further = [FileSystemLoader(str(directory)) for directory in self._directories]
        super().__init__(
            autoescape=True,
            trim_blocks=hub.trim_blocks,
            lstrip_blocks=hub.lstrip_blocks,
            extensions=[Nonces],
            loader=ChoiceLoader([own, *further]),
        )
        self.globals.update(hub.globals)
        self.filters.update(hub.filters)

    @cached_property
    def policy(self) -> DeployersHtml:
        """What pages made of plug-ins' templates may do."""
        files = (file for directory in self._directories for file in directory.rglob("*.html"))
        texts = (file.read_text("utf-8", errors="replace") for file in files)
        return DeployersHtml(frozenset().union(*map(inline_handlers, texts)), templates=True)

    def is_plugins(self, name: str) -> bool:
        """Tell whether a template is a plug-in's, and not the hub's or the deployer's."""
        if name not in self._ours:
            try:
                self._hub.get_template(name)
                self._ours[name] = True
            except TemplateNotFound:
                self._ours[name] = False
        return not self._ours[name]

    @property
    def loader(self) -> BaseLoader | None:
        """What finds the templates."""
        return self._loader

    @loader.setter
    def loader(self, wanted: BaseLoader | None) -> None:
        found = _flat(wanted) if wanted is not None else []
        known = getattr(self, "_known", None)
        keys = [_key(loader) for loader in found]
        if known != keys:
            self._known = keys
            self._loader: BaseLoader | None = ChoiceLoader(found)


def _flat(loader: BaseLoader) -> list[BaseLoader]:
    """Return the loaders of which one is made, each directory once, at its first place."""
    parts = loader.loaders if isinstance(loader, ChoiceLoader) else [loader]
    every = [part for each in parts for part in (_flat(each) if isinstance(each, ChoiceLoader) else [each])]
    return list({_key(part): part for part in reversed(every)}.values())[::-1]


def _key(loader: BaseLoader) -> Any:
    if isinstance(loader, FileSystemLoader):
        return tuple(map(str, loader.searchpath))
    return id(loader)
