"""Find access rules that were written down but would not be obeyed."""

from __future__ import annotations

import re
from difflib import get_close_matches

from traitlets.config import Config

from carrel.authenticators.base import Authenticator
from carrel.config.schema import Problem

_ACCESS = re.compile(r"allow|block|admin|deny|forbid|white|black")


def unknown_access_settings(config: Config, authenticator_class: type[Authenticator]) -> list[Problem]:
    """Return a fatal problem for each setting that looks like an access rule but is none of the class.

    A misspelt `blocked_users` would otherwise let somebody in without a word. Sections of other classes are
    not looked at.
    """
    known = set(authenticator_class.class_trait_names(config=True))
    rules = [name for name in known if _ACCESS.search(name)]
    problems = []
    for section in (base.__name__ for base in authenticator_class.__mro__):
        for name in sorted(config.get(section, {})):
            near = get_close_matches(name, rules, n=1, cutoff=0.75)
            if name in known or not (near or _ACCESS.search(name)):
                continue
            hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(sorted(rules))}."
            message = f"{authenticator_class.__name__} has no such access rule; {hint}"
            problems.append(Problem(f"{section}.{name}", message))
    return problems
