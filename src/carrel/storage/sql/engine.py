"""What the two databases have in common: compiled statements, and a link that runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import BindParameter, ColumnElement, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler

from carrel.domain.events import Event
from carrel.storage.base import Ears

Row = tuple[Any, ...]
Value = str | int | float | bool | None
Values = Mapping[str, Value]


class Link(Protocol):
    """A connection inside a transaction."""

    events: list[Event]
    """What the transaction makes true, for whoever wants to know once it has."""

    async def rows(self, statement: Executable, values: Values) -> list[Row]:
        """Return all rows of a query, or of a change that returns some."""

    async def change(self, statement: Executable, values: Values) -> int:
        """Return how many rows were written."""

    async def change_many(self, statement: Executable, values: Sequence[Values]) -> None:
        """Run one statement for each set of values."""

    def built(self, key: tuple[object, ...], build: Callable[[], Executable]) -> Executable:
        """Return the statement that `build` makes; it is called once for each `key`."""


class Engine(Protocol):
    """A database and its connections. All of it raises StorageError."""

    @property
    def statements(self) -> Statements:
        """The SQL of this database."""

    async def open(self, *, claim: bool) -> None: ...
    async def close(self) -> None: ...
    def read(self) -> AbstractAsyncContextManager[Link]: ...
    def write(self, *, durable: bool) -> AbstractAsyncContextManager[Link]: ...
    async def checkpoint(self) -> None: ...
    async def listen(self, ears: Ears) -> None: ...
    async def tell(self, events: Sequence[Event]) -> None: ...


class Statements:
    """SQL text for one dialect, made when first asked for and kept: compiling costs more than running."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._texts: dict[Executable, str] = {}
        self._built: dict[tuple[object, ...], Executable] = {}
        self._listener: Callable[[str], None] | None = None

    def tell(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called with the text of every statement that is run from now on, without values."""
        self._listener = listener

    def text(self, statement: Executable) -> str:
        """Return the SQL of `statement`, which is known by its identity, with named parameters."""
        found = self._texts.get(statement)
        if found is None:
            found = self._texts[statement] = _compile(statement, self._dialect)
        if self._listener is not None:
            self._listener(found)
        return found

    def built(self, key: tuple[object, ...], build: Callable[[], Executable]) -> Executable:
        """Return what `build` made the first time that `key` was asked for."""
        found = self._built.get(key)
        if found is None:
            found = self._built[key] = build()
        return found


@lru_cache(1024)
def _compile(statement: Executable, dialect: Dialect) -> str:
    # Who opens store after store, as tests do, would otherwise spend a third of the time in here.
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - narrows the type
    if hidden := [name for name, value in compiled.params.items() if value is not None]:
        raise ValueError(f"constants in a statement must be written out, not bound: {hidden}")
    return compiled.string


class OneOf(ColumnElement[bool]):
    """`column` is among the values of a JSON array bound as `name`: one statement for any number."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.bound: BindParameter[str] = bindparam(name)


@compiles(OneOf, "sqlite")
def _one_of_sqlite(element: OneOf, compiler: SQLCompiler, **kw: Any) -> str:
    column, bound = compiler.process(element.column, **kw), compiler.process(element.bound, **kw)
    return f"{column} IN (SELECT value FROM json_each({bound}))"  # noqa: S608 - compiled parts


@compiles(OneOf, "postgresql")
def _one_of_postgresql(element: OneOf, compiler: SQLCompiler, **kw: Any) -> str:
    column, bound = compiler.process(element.column, **kw), compiler.process(element.bound, **kw)
    kind = element.column.type.compile(dialect=compiler.dialect).split(" COLLATE")[0]
    return f"{column} = ANY (ARRAY(SELECT json_array_elements_text({bound}::json))::{kind}[])"


class Contains(ColumnElement[bool]):
    """`column` has the text bound as `name` somewhere in it, character by character."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.bound: BindParameter[str] = bindparam(name)


@compiles(Contains, "sqlite")
def _contains_sqlite(element: Contains, compiler: SQLCompiler, **kw: Any) -> str:
    return f"instr({compiler.process(element.column, **kw)}, {compiler.process(element.bound, **kw)}) > 0"


@compiles(Contains, "postgresql")
def _contains_postgresql(element: Contains, compiler: SQLCompiler, **kw: Any) -> str:
    return f"strpos({compiler.process(element.column, **kw)}, {compiler.process(element.bound, **kw)}) > 0"
