"""What the hub asks the API server to make, as types, and settings laid over it.

The names are Kubernetes' own, in Python's spelling; what lies below the fields here is plain JSON as
Kubernetes documents it. They can be changed, for the deployer's `modify_pod_hook` changes them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

Json = dict[str, Any]


class EnvVar(Struct, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """A variable: a value, or where it comes from."""

    name: str
    value: str | None = None
    value_from: Json | None = None


class Container(Struct, rename="camel", omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """A container of a pod."""

    name: str
    image: str | None = None
    image_pull_policy: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    working_dir: str | None = None
    env: list[EnvVar] = field(default_factory=list)
    env_from: list[Json] = field(default_factory=list)
    ports: list[Json] = field(default_factory=list)
    resources: Json = field(default_factory=dict)
    volume_mounts: list[Json] = field(default_factory=list)
    volume_devices: list[Json] = field(default_factory=list)
    security_context: Json | None = None
    lifecycle: Json | None = None
    liveness_probe: Json | None = None
    readiness_probe: Json | None = None
    startup_probe: Json | None = None
    resize_policy: list[Json] | None = None
    restart_policy: str | None = None
    restart_policy_rules: list[Json] | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    tty: bool | None = None
    termination_message_path: str | None = None
    termination_message_policy: str | None = None


class PodSpec(Struct, rename="camel", omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """What a pod is made of, and where it may run."""

    containers: list[Container] = field(default_factory=list)
    init_containers: list[Container] = field(default_factory=list)
    ephemeral_containers: list[Json] | None = None
    volumes: list[Json] = field(default_factory=list)
    restart_policy: str | None = None
    active_deadline_seconds: int | None = None
    termination_grace_period_seconds: int | None = None
    image_pull_secrets: list[Json] = field(default_factory=list)
    service_account: str | None = None
    service_account_name: str | None = None
    automount_service_account_token: bool | None = None
    security_context: Json | None = None
    node_name: str | None = None
    node_selector: dict[str, str] = field(default_factory=dict)
    affinity: Json | None = None
    tolerations: list[Json] = field(default_factory=list)
    topology_spread_constraints: list[Json] | None = None
    scheduler_name: str | None = None
    scheduling_gates: list[Json] | None = None
    scheduling_group: Json | None = None
    priority: int | None = None
    priority_class_name: str | None = None
    preemption_policy: str | None = None
    runtime_class_name: str | None = None
    resources: Json | None = None
    resource_claims: list[Json] | None = None
    overhead: Json | None = None
    os: Json | None = None
    hostname: str | None = None
    hostname_override: str | None = None
    subdomain: str | None = None
    set_hostname_as_fqdn: bool | None = field(default=None, name="setHostnameAsFQDN")
    dns_policy: str | None = None
    dns_config: Json | None = None
    enable_service_links: bool | None = None
    host_aliases: list[Json] | None = None
    host_ipc: bool | None = field(default=None, name="hostIPC")
    host_network: bool | None = None
    host_pid: bool | None = field(default=None, name="hostPID")
    host_users: bool | None = None
    share_process_namespace: bool | None = None
    readiness_gates: list[Json] | None = None
    eviction_responders: list[Json] | None = None


class ObjectMeta(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Names and marks of an object."""

    name: str
    namespace: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    owner_references: list[Json] = field(default_factory=list)
    finalizers: list[str] | None = None


class Pod(Struct, rename="camel", kw_only=True):
    """A pod that is to be made."""

    metadata: ObjectMeta
    spec: PodSpec
    api_version: str = "v1"
    kind: str = "Pod"


S = TypeVar("S", bound=Struct)


def to_json(value: Any) -> Any:
    """Return a manifest as JSON; raises TypeError for what cannot be any."""
    return msgspec.to_builtins(value, enc_hook=_foreign)


def made(kind: type[S], content: Any, where: str) -> S:
    """Return what a setting says as a type; its keys may have Kubernetes' or Python's spelling.

    Raises ValueError that names the setting and the field.
    """
    return _typed(kind, _spelt(kind, content, where), where)


def merged(target: S, overrides: Any, where: str) -> S:
    """Return `target` with a setting laid over it: objects are joined, None takes a field away.

    Anything else, lists too, stands in the place of what was there. Raises ValueError that names the setting
    and the field.
    """
    body = to_json(target)
    for name, value in _spelt(type(target), overrides, where).items():
        body[name] = _joined(body.get(name), value)
    return _typed(type(target), {name: value for name, value in body.items() if value is not None}, where)


def parsed(content: Any, where: str) -> Json:
    """Return a setting that is an object, or YAML or JSON that says one; raises ValueError."""
    if isinstance(content, str):
        import yaml

        try:
            content = yaml.safe_load(content) or {}
        except yaml.YAMLError as error:
            raise ValueError(f"{where} is no YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{where} has to be an object, not {type(content).__name__}")
    return dict(content)


def camel_keys(content: Any) -> Any:
    """Return an object with its own keys, not those further in, in Kubernetes' spelling."""
    if not isinstance(content, Mapping):
        return to_json(content)
    return {_camel(str(key)): to_json(value) for key, value in content.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _spelt(kind: type[Struct], content: Any, where: str) -> Json:
    known = {each.name: each.encode_name for each in msgspec.structs.fields(kind)}
    names = set(known.values())
    found: Json = {}
    for key, value in parsed(to_json(content), where).items():
        name = known.get(key, key)
        if name not in names:
            near = difflib.get_close_matches(key, [*known, *names], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"{where}: a {kind.__name__} has no field {key!r}{hint}")
        found[name] = value
    return found


def _joined(old: Any, new: Any) -> Any:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        both = {key: _joined(old.get(key), value) for key, value in new.items()}
        return {key: value for key, value in {**old, **both}.items() if value is not None}
    return new


def _typed(kind: type[S], body: Json, where: str) -> S:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: {str(error).replace('`', '').replace('$.', '')}") from None


def _foreign(value: Any) -> Any:
    """Return an object of the package kubernetes_asyncio or kubernetes as JSON: hooks make such."""
    names = getattr(value, "attribute_map", None)
    if not isinstance(names, Mapping):
        raise TypeError(f"{type(value).__name__} cannot be part of a manifest")
    fields = {key: getattr(value, attribute) for attribute, key in names.items()}
    return {key: to_json(each) for key, each in fields.items() if each is not None}
