"""`jinja_environment_options`: how templates are read."""

from __future__ import annotations

from collections.abc import Iterator

from carrel.config.schema import Settings

Finding = tuple[str, str, bool]

#: Options that are the hub's own, and why.
OWN_OPTIONS = {
    "autoescape": "values are always escaped; the filter safe leaves one out",
    "enable_async": "templates are rendered at once",
    "loader": "templates come from template_paths",
    "undefined": "what is not there is shown as nothing",
}


def check_templates(settings: Settings) -> Iterator[Finding]:
    """Yield what of `jinja_environment_options` is not used, and what Jinja does not know."""
    given = settings.jinja_environment_options
    for name in given.keys() & OWN_OPTIONS.keys():
        yield "jinja_environment_options", f"{name} is not used: {OWN_OPTIONS[name]}", False
    wanted = {name: value for name, value in given.items() if name not in OWN_OPTIONS}
    if wanted:
        # Few hubs have such options, and all of them are to start quickly.
        from jinja2 import Environment

        try:
            Environment(autoescape=True, **wanted)
        except Exception as error:
            yield "jinja_environment_options", f"Jinja cannot be started with it: {error}", True
