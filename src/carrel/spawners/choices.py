"""What people and groups choose: the form, profiles, options and repositories, applied before a start."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from traitlets import Callable as CallableTrait
from traitlets import Dict, Unicode, Union

from carrel.lib.awaiting import resolve
from carrel.spawners import options
from carrel.spawners.familiar import FamiliarNames
from carrel.spawners.repositories import choose_repository
from carrel.spawners.traits import setting


class Choices(FamiliarNames):
    """The part of a spawner that takes choices."""

    profile_overrides: Any = ()
    """What the chosen profile makes of settings: mappings, in order. The hub sets it."""
    opens_repositories: ClassVar[bool] = False
    """True of a driver that puts `preparation()` before the command, so that a repository is got ready."""
    repository_program: ClassVar[Sequence[str]] = (sys.executable, "-P", "-m", "carrel_client.repository")
    """What gets it ready where this driver's servers run, unless `c.Repositories.command` says so."""
    start_timeout: Any

    options_form: Any = setting(
        Union([Unicode(), CallableTrait()]),
        "The HTML of the form before a start, or a callable.",
    )
    options_from_form: Any = setting(
        Union([CallableTrait(), Unicode()], default_value="passthrough"),
        "What turns the form into options: a callable, 'passthrough' or 'simple'.",
    )
    apply_user_options: Any = setting(
        Union([CallableTrait(), Dict()], default_value=None, allow_none=True),
        "What applies options: a callable (spawner, options), or a mapping of option to setting.",
    )
    group_overrides: Any = setting(
        Union([Dict(), CallableTrait()]),
        "Settings by group: {key: {groups, spawner_override}}.",
    )
    repository: Any = setting(
        Dict(), "The Git repository that servers are started from, if it is allowed: {repo, ref, path}."
    )

    async def get_options_form(self) -> str:
        """Return the HTML of the options form, empty for none."""
        form = self.options_form
        return str(await resolve(form(self)) or "") if callable(form) else str(form)

    async def run_options_from_form(self, form_data: options.FormData) -> dict[str, Any]:
        """Return the options that a submitted form means; raises what the deployer's callable raises."""
        return await options.read_form(self.options_from_form, form_data, self)

    def options_from_query(self, query_data: options.FormData) -> Any:
        """Return the options that the parameters of a link mean: by default those of the same form."""
        return self.run_options_from_form(query_data)

    async def run_apply_user_options(self, user_options: Mapping[str, Any]) -> None:
        """Apply `group_overrides`, the chosen profile and options to this spawner; call it before a start."""
        await options.override_for_groups(self.group_overrides, self.user.groups, self)
        for overrides in self.profile_overrides:
            await options.override_asking(self, overrides)
        await options.apply(self.apply_user_options, user_options, self)
        choose_repository(self, user_options)
