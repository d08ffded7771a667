"""What is wrong with the deployer's templates, told before anybody visits a page that is made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from jinja2 import Environment, TemplateNotFound, TemplateSyntaxError, nodes

from carrel.config.schema import Settings
from carrel.web.overrides import Flaw, templates_in
from carrel.web.render import Renderer

_OWN = "templates/"
#: Libraries that JupyterHub's pages load and the hub's do not, by what a script that uses them says.
_LIBRARIES = {
    "RequireJS": re.compile(r"\brequire(?:js)?\s*\(|\brequire\.config\b"),
    "jQuery": re.compile(r"(?<![\w$])(?:jQuery|\$)\s*(?:\(|\.ajax\b)"),
}
_LOADED = re.compile(r"<script\b[^>]*\bsrc\s*=[^>]*\b(require|jquery)", re.IGNORECASE)


def check_templates(settings: Settings) -> list[Flaw]:
    """Return what is wrong with the templates below `template_paths`, in the order of their files and lines.

    Reads files only. Nothing of it keeps the hub from working: where a template cannot be used, its own is.
    """
    if not settings.template_paths:
        return []
    environment = Renderer(settings).environment
    found: list[Flaw] = []
    for path in settings.template_paths:
        directory = settings.resolve(path)
        if not directory.is_dir():
            found.append(Flaw(str(directory), 0, "there is no such directory (c.JupyterHub.template_paths)"))
            continue
        loaded = _loaded_libraries(directory)
        for file in templates_in(str(directory)):
            name = file.relative_to(directory).as_posix()
            found += sorted(_Check(environment, file, name).flaws(loaded), key=lambda flaw: flaw.line)
    return found


class _Check:
    """The check of one file."""

    def __init__(self, environment: Environment, file: Path, name: str) -> None:
        self._environment = environment
        self._file = file
        self._name = name

    def flaws(self, loaded: frozenset[str]) -> Iterator[Flaw]:
        """Yield what is wrong; a file that cannot be read or parsed has one flaw alone."""
        try:
            text = self._file.read_text("utf-8")
            tree = self._environment.parse(text, self._name, str(self._file))
        except UnicodeDecodeError as error:
            yield self._flaw(error.object.count(b"\n", 0, error.start) + 1, "it is not in UTF-8")
        except OSError as error:
            yield self._flaw(1, f"it cannot be read: {error.strerror or error}")
        except TemplateSyntaxError as error:
            yield self._flaw(error.lineno, error.message or "it cannot be parsed")
        else:
            yield from self._unknown_name()
            yield from self._missing(tree)
            yield from self._unseen_blocks(tree)
            yield from self._lacking_libraries(text, loaded)

    def _flaw(self, line: int, text: str) -> Flaw:
        return Flaw(str(self._file), line, text)

    def _unknown_name(self) -> Iterator[Flaw]:
        names = _own_names(self._environment)
        if self._name not in names:
            near = get_close_matches(self._name, names, 1, cutoff=0.8)
            if near:
                yield self._flaw(1, f"the hub has no page by this name; {near[0]} is near")

    def _missing(self, tree: nodes.Template) -> Iterator[Flaw]:
        kinds = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
        for node in tree.find_all(kinds):
            wanted = _constant(node)
            if not wanted or (isinstance(node, nodes.Include) and node.ignore_missing):
                continue
            if isinstance(node, nodes.Extends) and wanted == self._name:
                yield self._flaw(node.lineno, f'it extends itself; the hub\'s own is "{_OWN}{self._name}"')
            elif not self._exists(wanted):
                near = get_close_matches(
                    wanted.removeprefix(_OWN), _own_names(self._environment), 1, cutoff=0.75
                )
                hint = f"; {_OWN}{near[0]} is near" if near else ""
                yield self._flaw(node.lineno, f"there is no template {wanted}{hint}")

    def _exists(self, name: str) -> bool:
        assert self._environment.loader is not None  # noqa: S101 - the renderer sets it
        try:
            self._environment.loader.get_source(self._environment, name)
        except TemplateNotFound:
            return False
        except TemplateSyntaxError:
            return True
        return True

    def _unseen_blocks(self, tree: nodes.Template) -> Iterator[Flaw]:
        """Yield the blocks that no template above has: what stands in them is never shown."""
        known = self._blocks_above(tree)
        if known is None:
            return
        for block in _outer_blocks(tree):
            if block.name not in known:
                near = get_close_matches(block.name, known, 1)
                hint = f"; {near[0]} is near" if near else ""
                yield self._flaw(
                    block.lineno, f"no template above has a block {block.name}: it is never shown{hint}"
                )

    def _blocks_above(self, tree: nodes.Template) -> set[str] | None:
        """Return the names of the blocks of all templates above; None when they cannot be known."""
        known: set[str] = set()
        seen = {self._name}
        extends = tree.find(nodes.Extends)
        if extends is None:
            return None
        while extends is not None:
            wanted = _constant(extends)
            parent = self._tree(wanted) if wanted and wanted not in seen else None
            if parent is None:
                return None
            seen.add(wanted)
            known |= {block.name for block in parent.find_all(nodes.Block)}
            extends = parent.find(nodes.Extends)
        return known

    def _tree(self, name: str) -> nodes.Template | None:
        assert self._environment.loader is not None  # noqa: S101 - the renderer sets it
        try:
            text, file, _ = self._environment.loader.get_source(self._environment, name)
            return self._environment.parse(text, name, file)
        except (TemplateNotFound, TemplateSyntaxError):
            return None

    def _lacking_libraries(self, text: str, loaded: frozenset[str]) -> Iterator[Flaw]:
        for library, use in _LIBRARIES.items():
            found = use.search(text)
            if found and library not in loaded:
                line = text.count("\n", 0, found.start()) + 1
                told = f"its script uses {library}, which the hub's pages do not load: load it before"
                yield self._flaw(line, told)


def _constant(node: nodes.Node) -> str:
    """Return the name of the template that a tag names; empty when only a visit can tell."""
    template = getattr(node, "template", None)
    return (
        str(template.value) if isinstance(template, nodes.Const) and isinstance(template.value, str) else ""
    )


def _outer_blocks(tree: nodes.Template) -> list[nodes.Block]:
    """Return the blocks that stand in no other one; the rest are shown with those that they stand in."""
    inner = {inside for block in tree.find_all(nodes.Block) for inside in block.find_all(nodes.Block)}
    return [block for block in tree.find_all(nodes.Block) if block not in inner]


def _own_names(environment: Environment) -> Sequence[str]:
    """Return the names of the hub's own pages."""
    named = (name for name in environment.list_templates() if name.startswith(_OWN))
    return [name.removeprefix(_OWN) for name in named if not name.startswith(f"{_OWN}_")]


def _loaded_libraries(directory: Path) -> frozenset[str]:
    names = {"require": "RequireJS", "jquery": "jQuery"}
    texts = [file.read_text(errors="replace") for file in templates_in(str(directory))]
    return frozenset(names[found.lower()] for text in texts for found in _LOADED.findall(text))
