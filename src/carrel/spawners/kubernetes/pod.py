"""The pod of a server, made of the settings and of what is known of the run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from carrel.spawners.kubernetes.manifest import (
    Container,
    EnvVar,
    ObjectMeta,
    Pod,
    PodSpec,
    camel_keys,
    made,
    merged,
    parsed,
)
from carrel.spawners.kubernetes.names import fill_all
from carrel.spawners.kubernetes.settings import KubeSettings
from carrel.spawners.kubernetes.sighting import SERVER

Json = dict[str, Any]
_REFERENCE = re.compile(r"\$\(([^)]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Whose rights a server has; the values of settings that may be callables."""

    uid: int | None = None
    gid: int | None = None
    fs_gid: int | None = None
    groups: Sequence[int] = ()
    container: Mapping[str, Any]
    pod: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a run."""

    name: str
    namespace: str
    names: Mapping[str, Any]
    """What templates may use in braces."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    environment: Mapping[str, str | Json]
    """Variables: their values, or objects that say where those are."""
    secret: str
    """The Secret with the variables that are nobody's business."""
    words: Sequence[str]
    """What the image's entry point is told to run; nothing leaves that to the image."""
    port: int
    cpu: tuple[float | None, float | None]
    """The guarantee and the limit, in CPUs."""
    memory: tuple[int | None, int | None]
    """The guarantee and the limit, in bytes."""
    rights: Rights


def build_pod(settings: KubeSettings, facts: Facts) -> Pod:
    """Return the pod; raises ValueError that names the setting which Kubernetes would not take."""
    spec = _spec(settings, facts)
    spec.containers = [_server(settings, facts), *_containers(settings, "extra_containers", facts.names)]
    spec.init_containers = _containers(settings, "init_containers", facts.names)
    overrides = fill_all(parsed(settings.extra_pod_config, "extra_pod_config"), facts.names)
    metadata = ObjectMeta(
        name=facts.name,
        namespace=facts.namespace,
        labels=dict(facts.labels),
        annotations=dict(facts.annotations),
    )
    return Pod(metadata=metadata, spec=merged(spec, overrides, "extra_pod_config"))


def listed(value: Any) -> list[Any]:
    """Return a list, or a dictionary's values in the order of its keys."""
    return [value[key] for key in sorted(value)] if isinstance(value, Mapping) else list(value)


def _spec(settings: KubeSettings, facts: Facts) -> PodSpec:
    account = fill_all(settings.service_account, facts.names)
    mounted = settings.automount_service_account_token
    if mounted is None and account is None:
        # The default account of many namespaces may do more than a user should.
        mounted = False
    rights = facts.rights
    context: Json = {} if rights.fs_gid is None else {"fsGroup": int(rights.fs_gid)}
    if rights.groups:
        context["supplementalGroups"] = [int(gid) for gid in rights.groups]
    secrets = settings.image_pull_secrets
    return PodSpec(
        # A server that ends is the hub's to start again, with what it said kept for its owner.
        restart_policy="Never",
        enable_service_links=False,
        volumes=[camel_keys(each) for each in fill_all(listed(settings.volumes), facts.names)],
        image_pull_secrets=[
            {"name": each} if isinstance(each, str) else dict(each)
            for each in ([secrets] if isinstance(secrets, str) and secrets else secrets or [])
        ],
        service_account_name=account,
        automount_service_account_token=mounted,
        security_context={**context, **_spelt_as_kubernetes(rights.pod, "pod_security_context")} or None,
        node_selector={str(key): str(value) for key, value in settings.node_selector.items()},
        tolerations=[camel_keys(each) for each in listed(settings.tolerations)],
        affinity=_affinity(settings) or None,
        scheduler_name=settings.scheduler_name,
        priority_class_name=settings.priority_class_name or None,
    )


def _server(settings: KubeSettings, facts: Facts) -> Container:
    rights = facts.rights
    context: Json = {
        "runAsUser": None if rights.uid is None else int(rights.uid),
        "runAsGroup": None if rights.gid is None else int(rights.gid),
        "privileged": True if settings.privileged else None,
        "allowPrivilegeEscalation": None if settings.privileged else settings.allow_privilege_escalation,
        **_spelt_as_kubernetes(rights.container, "container_security_context"),
    }
    requests, limits = (
        _resources(*pair)
        for pair in (
            (facts.cpu[0], facts.memory[0], settings.extra_resource_guarantees),
            (facts.cpu[1], facts.memory[1], settings.extra_resource_limits),
        )
    )
    container = Container(
        name=SERVER,
        image=settings.image,
        image_pull_policy=settings.image_pull_policy,
        args=list(facts.words) or None,
        working_dir=fill_all(settings.working_dir, facts.names),
        env=_variables(facts.environment),
        env_from=[{"secretRef": {"name": facts.secret}}],
        ports=[{"name": "notebook-port", "containerPort": facts.port}],
        resources={name: kind for name, kind in (("requests", requests), ("limits", limits)) if kind},
        volume_mounts=[camel_keys(each) for each in fill_all(listed(settings.volume_mounts), facts.names)],
        security_context={key: value for key, value in context.items() if value is not None} or None,
        lifecycle=camel_keys(settings.lifecycle_hooks) or None,
    )
    return merged(
        container, parsed(settings.extra_container_config, "extra_container_config"), "extra_container_config"
    )


def _containers(settings: KubeSettings, setting: str, names: Mapping[str, Any]) -> list[Container]:
    return [made(Container, each, setting) for each in fill_all(listed(getattr(settings, setting)), names)]


def _resources(cpu: float | None, memory: int | None, extra: Mapping[str, Any]) -> dict[str, str]:
    own = {"cpu": f"{cpu:g}" if cpu else "", "memory": str(memory) if memory else ""}
    return {**{name: value for name, value in own.items() if value}, **{k: str(v) for k, v in extra.items()}}


def _spelt_as_kubernetes(context: Mapping[str, Any], setting: str) -> Mapping[str, Any]:
    wrong = next((key for key in context if "_" in key), None)
    if wrong is not None:
        raise ValueError(f"{setting}: fields have Kubernetes' spelling (runAsUser), not {wrong!r}")
    return context


def _variables(environment: Mapping[str, str | Json]) -> list[EnvVar]:
    found: dict[str, EnvVar] = {}
    for key, value in environment.items():
        content = {"name": key, "value": value} if isinstance(value, str) else {"name": key, **value}
        variable = made(EnvVar, content, f"environment[{key!r}]")
        found[variable.name] = variable
    return [found[name] for name in _in_order(found)]


def _in_order(variables: Mapping[str, EnvVar]) -> Iterable[str]:
    """Return the names so that who refers to another, as $(NAME), comes after it, as Kubernetes wants it."""
    after: dict[str, list[str]] = {}
    for name in sorted(variables):
        named = _REFERENCE.findall(variables[name].value or "")
        after[name] = [each for each in named if each in variables and each != name]
    plain = [name for name in after if not after[name]]
    try:
        order = TopologicalSorter(after).static_order()
        return [*plain, *(name for name in order if after[name])]
    except CycleError:
        return after


def _affinity(settings: KubeSettings) -> Json:
    required = [camel_keys(each) for each in listed(settings.node_affinity_required)]
    preferred = [camel_keys(each) for each in listed(settings.node_affinity_preferred)]
    parts = {
        "nodeAffinity": _strength({"nodeSelectorTerms": required} if required else None, preferred),
        "podAffinity": _strength(*_terms(settings, "pod_affinity")),
        "podAntiAffinity": _strength(*_terms(settings, "pod_anti_affinity")),
    }
    return {name: part for name, part in parts.items() if part}


def _terms(settings: KubeSettings, setting: str) -> tuple[list[Any], list[Any]]:
    required, preferred = (
        [camel_keys(each) for each in listed(getattr(settings, f"{setting}_{strength}"))]
        for strength in ("required", "preferred")
    )
    return required, preferred


def _strength(required: Any, preferred: Any) -> Json:
    both = {
        "requiredDuringSchedulingIgnoredDuringExecution": required,
        "preferredDuringSchedulingIgnoredDuringExecution": preferred,
    }
    return {name: terms for name, terms in both.items() if terms}
