"""What a form sent: checked for where it came from, and kept to be shown again when something is wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.datastructures import FormData
from starlette.requests import Request

from carrel.domain.errors import CarrelError, Invalid
from carrel.http.csrf import StaleForm, check_form


@dataclass(frozen=True, slots=True)
class Problems:
    """What is wrong with a form, by field; what belongs to none is under the empty name."""

    by_field: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, error: CarrelError | None) -> Problems:
        """Return what one error says, at the field that it names."""
        if error is None:
            return cls()
        return cls({error.field if isinstance(error, Invalid) else "": error.for_people})

    def at(self, *names: str) -> str:
        """Return what is wrong with the first of these fields that has something wrong."""
        return next((self.by_field[name] for name in names if name in self.by_field), "")

    def beside(self, *names: str) -> str:
        """Return what is wrong with none of these fields: those that a page has."""
        return " ".join(text for name, text in self.by_field.items() if name not in names)


async def read_form(request: Request) -> tuple[FormData, CarrelError | None]:
    """Return a form of one of our own pages, and what to tell when its token is out of date.

    Raises Forbidden when another site sent it, and Invalid for what no field can hold.
    """
    problem = None
    try:
        form = await check_form(request)
    except StaleForm as stale:
        form, problem = await request.form(), stale
    for name, value in form.multi_items():
        if isinstance(value, str) and "\0" in value:
            # Nothing that people write has one, and PostgreSQL cannot even be asked for it.
            raise Invalid(f"{name[:80]}: the character NUL stands in it")
    return form, problem


async def carry_out(
    request: Request, do: Callable[[FormData], Awaitable[str]]
) -> tuple[str, FormData, CarrelError | None]:
    """Have `do` do what a form of one of our own pages asks for, and return where to go next that it says.

    That is empty when the form has to be shown again, with what is wrong. Raises what `read_form` raises.
    """
    form, problem = await read_form(request)
    if problem is not None:
        return "", form, problem
    try:
        return await do(form), form, None
    except CarrelError as error:
        return "", form, error


def text(form: FormData, name: str) -> str:
    """Return a text field without the space around it; empty when there is none."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def texts(form: FormData, name: str) -> list[str]:
    """Return every value of a field, such as those of boxes that were ticked."""
    return [value for value in form.getlist(name) if isinstance(value, str)]


def lines(form: FormData, name: str) -> list[str]:
    """Return the lines of a field that say something."""
    return [line.strip() for line in text(form, name).splitlines() if line.strip()]


def words(form: FormData, name: str) -> list[str]:
    """Return what stands in a field between spaces, commas and the ends of lines."""
    return text(form, name).replace(",", " ").split()
