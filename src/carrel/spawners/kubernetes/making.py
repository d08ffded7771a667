"""What is made for a server: its pod, the Secret with its token, a service, a claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carrel.lib.awaiting import resolve
from carrel.lib.redaction import is_secret_name
from carrel.spawners.kubernetes import belongings
from carrel.spawners.kubernetes.api import Json
from carrel.spawners.kubernetes.belongings import USER
from carrel.spawners.kubernetes.claims import Claim, ensure_claim, find_claim
from carrel.spawners.kubernetes.identity import KubeIdentity
from carrel.spawners.kubernetes.manifest import to_json
from carrel.spawners.kubernetes.names import fill
from carrel.spawners.kubernetes.pod import Facts, Rights, build_pod

_TOKENS = frozenset({"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN"})


class KubeMaker(KubeIdentity):
    """The part of the driver that knows what a server needs."""

    # What every spawner has
    port: Any
    environment: Any
    cpu_guarantee: Any
    cpu_limit: Any
    mem_guarantee: Any
    mem_limit: Any
    get_argv: Any

    async def _ensure_claim(self) -> None:
        await self._find_old_claim()
        component = {
            "app.kubernetes.io/component": self.component_label,
            "component": "singleuser-storage",
        }
        claim = Claim(
            name=self.pvc_name,
            namespace=self.used_namespace,
            user=self.user.name,
            labels={**self._labels(self.storage_extra_labels), **component},
            annotations=self._annotations(self.storage_extra_annotations),
            capacity=self.storage_capacity,
            storage_class=self.storage_class,
            access_modes=self.storage_access_modes,
            selector=self.filled(self.storage_selector),
        )
        await ensure_claim(self.api, claim)

    async def _find_old_claim(self) -> None:
        """Go on with the claim that KubeSpawner up to 6 has made, where there is no newer one."""
        if not self.handle_legacy_names or self.slug_scheme != "safe":
            return
        old = fill(self.pvc_name_template, self._names(scheme="escape"))
        new, user, place = self.pvc_name, self.user.name, self.used_namespace
        if old == new or await find_claim(self.api, place, new, user):
            return
        if await find_claim(self.api, place, old, user):
            self.pvc_name = old

    async def _manifest(self, environment: Mapping[str, str]) -> Json:
        shown: dict[str, str | Json] = {
            name: value for name, value in environment.items() if not _is_hidden(name)
        }
        shown |= {
            key: self.filled(value) for key, value in self.environment.items() if isinstance(value, dict)
        }
        words = [*self.cmd, *self.get_argv()] if self.cmd else []
        facts = Facts(
            name=self.pod_name,
            namespace=self.used_namespace,
            names=self._names(),
            labels=self._pod_labels(),
            annotations=self._annotations(self.extra_annotations),
            environment=shown,
            secret=self.secret_name,
            words=words,
            port=self.port,
            cpu=(self.cpu_guarantee, self.cpu_limit),
            memory=(self.mem_guarantee, self.mem_limit),
            rights=await self._rights(),
        )
        pod: Any = build_pod(self, facts)
        if self.modify_pod_hook is not None:
            pod = await resolve(self.modify_pod_hook(self, pod)) or pod
        try:
            body: Json = to_json(pod)
        except TypeError as error:
            raise ValueError(f"modify_pod_hook: {error}") from None
        # Without them nobody would find it again, or know whose it is.
        metadata = body["metadata"]
        metadata["labels"] = {**(metadata.get("labels") or {}), **self.marks()}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), USER: self.user.name}
        return body

    async def _rights(self) -> Rights:
        async def value(setting: Any) -> Any:
            return await resolve(setting(self)) if callable(setting) else setting

        return Rights(
            uid=await value(self.uid),
            gid=await value(self.gid),
            fs_gid=await value(self.fs_gid),
            groups=await value(self.supplemental_gids),
            container=await value(self.container_security_context),
            pod=await value(self.pod_security_context),
        )

    def _secret(self, environment: Mapping[str, str]) -> Json:
        values = {name: value for name, value in environment.items() if _is_hidden(name)}
        return belongings.secret_of(self._metadata(self.secret_name), values)

    def _service(self, pod: Json) -> Json:
        metadata = {**self._metadata(self.pod_name), "ownerReferences": [belongings.owner_of(pod)]}
        return belongings.service_of(metadata, self.marks(), self.port)


def _is_hidden(name: str) -> bool:
    return name in _TOKENS or is_secret_name(name)
