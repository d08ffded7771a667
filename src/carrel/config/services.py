"""Services as the configuration and the API write them, and all that is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from carrel.config.names import nearest
from carrel.config.rights import Finding, read_rights
from carrel.config.schema import Settings
from carrel.domain.errors import Invalid
from carrel.domain.scope_catalog import Catalog
from carrel.domain.scopes import parse
from carrel.domain.services import (
    TIMEOUT,
    check_api_token,
    check_client_id,
    check_redirect_uri,
    check_service_name,
    check_service_url,
    service_client_id,
)

#: Keys of JupyterHub's that mean nothing: whoever has no command is run by somebody else.
_WITHOUT_EFFECT = ("external",)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_texts(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(map(_is_text, value))


def _is_command(value: object) -> bool:
    return _is_text(value) or (isinstance(value, list | tuple) and all(map(_is_text, value)))


def _is_environment(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(_is_text(key) and isinstance(each, str | int | float) for key, each in value.items())


def _is_timeout(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_dictionary(value: object) -> bool:
    return isinstance(value, Mapping)


_TEXT, _TRUTH, _TEXTS = ("a text", _is_text), ("True or False", _is_truth), ("a list of texts", _is_texts)
#: Every key that a service may have, with what its value must be.
_KEYS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "name": _TEXT,
    "admin": _TRUTH,
    "url": _TEXT,
    "api_token": _TEXT,
    "command": ("a list of texts, or one text", _is_command),
    "environment": ("a dictionary of texts", _is_environment),
    "user": _TEXT,
    "cwd": _TEXT,
    "timeout": ("a number of seconds, 1 or more", _is_timeout),
    "info": ("a dictionary", _is_dictionary),
    "display": _TRUTH,
    "oauth_client_id": _TEXT,
    "oauth_redirect_uri": _TEXT,
    "oauth_no_confirm": _TRUTH,
    "oauth_client_allowed_scopes": _TEXTS,
    "oauth_roles": _TEXTS,
}


@dataclass(frozen=True, slots=True)
class ServiceSetting:
    """One service, as somebody wants it. `repr` shows none of its secrets."""

    name: str
    admin: bool = False
    url: str = ""
    api_token: str = field(default="", repr=False)
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str = ""
    """The account that a managed one runs as; empty for the hub's own."""
    cwd: str = ""
    timeout: int = TIMEOUT
    """How long it may take until it answers, in seconds, before somebody is warned."""
    info: Mapping[str, Any] = field(default_factory=dict)
    display: bool = True
    oauth_client_id: str = ""
    oauth_redirect_uri: str = ""
    oauth_no_confirm: bool = False
    oauth_client_allowed_scopes: tuple[str, ...] = ()
    oauth_roles: tuple[str, ...] = ()

    @property
    def signs_in(self) -> bool:
        """Whether people sign in to it, so that it is a client of the hub's OAuth."""
        return bool(self.url or self.oauth_client_id or self.oauth_redirect_uri or self.oauth_no_confirm)

    @property
    def client_id(self) -> str:
        """Its OAuth client's id; empty when nobody signs in to it."""
        return (self.oauth_client_id or service_client_id(self.name)) if self.signs_in else ""


@dataclass(frozen=True, slots=True)
class ServicesSettings:
    """What the configuration says about services and tokens."""

    services: tuple[ServiceSetting, ...] = ()
    tokens: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """The tokens of each service, by its name."""
    user_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Tokens of users, each with the user's name as written."""


def read_services(settings: Settings) -> tuple[ServicesSettings, list[Finding]]:
    """Return services and tokens as far as they are right, and what is wrong."""
    catalog = read_rights(settings)[0].catalog
    findings: list[Finding] = []
    found: dict[str, ServiceSetting] = {}
    for number, entry in enumerate(settings.services, 1):
        service, wrong = _read_service(number, entry, catalog)
        if service is not None and service.name in found:
            wrong.append((f"service {service.name!r} is defined twice", True))
        findings += [("services", text, fatal) for text, fatal in wrong]
        if service is not None and not any(fatal for _, fatal in wrong):
            found[service.name] = service
    findings += [("services", text, True) for text in _shared_clients(found.values())]
    tokens, wrong_tokens = _read_tokens(settings, found)
    findings += wrong_tokens
    for role in read_rights(settings)[0].roles:
        for name in role.services or ():
            if name not in found:
                text = f"role {role.name!r} names the service {name!r}, which c.JupyterHub.services has not"
                findings.append(("load_roles", text, False))
    return ServicesSettings(tuple(found.values()), tokens, dict(settings.api_tokens)), findings


def faults(service: ServiceSetting, catalog: Catalog) -> Iterator[str]:
    """Yield what is wrong with a service whose values have the right types; no secret is repeated."""
    checks: tuple[tuple[Callable[[str], str], str], ...] = (
        (check_service_name, service.name),
        (check_service_url, service.url),
        (check_api_token, service.api_token),
        (check_client_id, service.oauth_client_id),
        (check_redirect_uri, service.oauth_redirect_uri),
        *((lambda text: str(parse(text, catalog)), scope) for scope in service.oauth_client_allowed_scopes),
    )
    for check, value in checks:
        if value or check is check_service_name:
            try:
                check(value)
            except Invalid as error:
                yield str(error)
    if service.signs_in and not (service.url or service.oauth_redirect_uri):
        yield "It takes part in OAuth, so it needs an oauth_redirect_uri, or a url."
    for key in ("command", "environment", "user", "cwd"):
        if "\0" in str(getattr(service, key)):
            yield f"{key} must not have a zero byte."
    if service.user and not service.command:
        yield "A user only matters beside a command: remove one, or add the other."


def _read_service(
    number: int, entry: object, catalog: Catalog
) -> tuple[ServiceSetting | None, list[tuple[str, bool]]]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        return None, [(f"entry {number} must be a dictionary with a text as its name", True)]
    label = f"service {entry['name'][:80]!r}"
    wrong: list[tuple[str, bool]] = []
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key in _WITHOUT_EFFECT:
            wrong.append((f"{label}: {key} has no effect: who has no command is run by somebody else", False))
        elif key not in _KEYS:
            near = nearest(str(key)[:80], _KEYS)
            advice = f"did you mean {near}?" if near else f"it may have {', '.join(_KEYS)}"
            wrong.append((f"{label} has no {str(key)[:80]!r}: {advice}", True))
        elif value is None and key != "name":
            continue
        elif not _KEYS[key][1](value):
            wrong.append((f"{label}: {key} must be {_KEYS[key][0]}", True))
        else:
            values[key] = _normal(key, value)
    if any(fatal for _, fatal in wrong):
        return ServiceSetting(entry["name"]), wrong
    service = ServiceSetting(**values)
    wrong += [(f"{label}: {text}", True) for text in faults(service, catalog)]
    return service, [*wrong, *((f"{label}: {text}", False) for text in _doubts(service, entry))]


def _normal(key: str, value: Any) -> Any:
    if key == "command":
        return (value,) if isinstance(value, str) and value else tuple(value)
    if key == "environment":
        return {name: str(each) for name, each in value.items()}
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else value


def _doubts(service: ServiceSetting, entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield what works and is better written otherwise."""
    if service.admin:
        yield "admin is deprecated: name the service in a role of c.JupyterHub.load_roles"
    if service.oauth_roles:
        effect = ", and has no effect beside it" if service.oauth_client_allowed_scopes else ""
        yield f"oauth_roles is deprecated: use oauth_client_allowed_scopes{effect}"
    for key in ("environment", "cwd"):
        if entry.get(key) and not service.command:
            yield f"{key} has no effect without a command"


def _shared_clients(services: Any) -> Iterator[str]:
    count = Counter(service.client_id for service in services if service.client_id)
    for client_id, times in count.items():
        if times > 1:
            yield f"the oauth_client_id {client_id!r} is that of {times} services"


def _read_tokens(
    settings: Settings, services: dict[str, ServiceSetting]
) -> tuple[dict[str, tuple[str, ...]], list[Finding]]:
    """Return the tokens of each service; one that only `service_tokens` names is added to `services`."""
    owners = {service.api_token: name for name, service in services.items() if service.api_token}
    findings: list[Finding] = []
    if len(owners) < sum(bool(service.api_token) for service in services.values()):
        findings.append(("services", "two services have the same api_token", True))
    for number, (token, name) in enumerate(settings.service_tokens.items(), 1):
        label = f"token {number}, of {name[:80]!r}"
        findings += [("service_tokens", f"{label}: {text}", True) for text in _token_faults(token, name)]
        if owners.get(token, name) != name:
            findings.append(("service_tokens", f"{label} is another service's api_token", True))
        elif name not in services:
            text = f"{label}: c.JupyterHub.services has no such service: it is added without anything else"
            findings.append(("service_tokens", text, False))
        owners[token] = name
    findings += _read_user_tokens(settings, owners)
    tokens: dict[str, tuple[str, ...]] = {}
    for token, name in owners.items():
        services.setdefault(name, ServiceSetting(name))
        tokens[name] = (*tokens.get(name, ()), token)
    return tokens, findings


def _read_user_tokens(settings: Settings, owners: Mapping[str, str]) -> Iterator[Finding]:
    for number, (token, name) in enumerate(settings.api_tokens.items(), 1):
        label = f"token {number}, of {name[:80]!r}"
        for text in _token_faults(token, ""):
            yield "api_tokens", f"{label}: {text}", True
        if token in owners:
            yield "api_tokens", f"{label} is that of the service {owners[token]!r}, too", True
    if settings.api_tokens:
        text = "old: let services have these tokens (service_tokens), or make some by `carrel token NAME`"
        yield "api_tokens", text, False


def _token_faults(token: str, service: str) -> Iterator[str]:
    for check, value in ((check_api_token, token), (check_service_name, service or "user")):
        try:
            check(value)
        except Invalid as error:
            yield str(error)
