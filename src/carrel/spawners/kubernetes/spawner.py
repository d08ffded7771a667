"""Servers as pods, each with its token in a Secret, maybe with a claim, a service and a namespace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from typing import Any

from traitlets import Instance, Integer, Unicode, default

from carrel.lib.awaiting import resolve
from carrel.lib.net import join_host
from carrel.spawners.base import Spawner
from carrel.spawners.errors import StartError
from carrel.spawners.kubernetes import belongings, happenings
from carrel.spawners.kubernetes.api import Json, Refused, Unreachable
from carrel.spawners.kubernetes.belongings import USER, Foreign
from carrel.spawners.kubernetes.claims import delete_claim
from carrel.spawners.kubernetes.cluster import GENERATION, SERVER
from carrel.spawners.kubernetes.credentials import NoAccess
from carrel.spawners.kubernetes.making import KubeMaker
from carrel.spawners.kubernetes.names import fill
from carrel.spawners.kubernetes.pods import PodAt, create, make_way, number, wait_until_settled
from carrel.spawners.kubernetes.sighting import Sighting, sight
from carrel.spawners.reports import Orphan, Usage, Waiting

_KEPT = ("pod_name", "namespace", "pvc_name", "dns_name")


class KubeSpawner(KubeMaker, Spawner):
    """Starts each server as a pod of a Kubernetes cluster. Answers to KubeSpawner's settings."""

    ip = Unicode("0.0.0.0", help="Where servers listen in their pods.").tag(config=True)  # noqa: S104
    port = Integer(8888, help="The port that servers listen on.").tag(config=True)

    _made = Instance(asyncio.Event, ())
    _last_account = ""
    _stopped = False

    @default("env_keep")
    def _default_env_keep(self) -> list[str]:
        return []

    def template_namespace(self) -> dict[str, Any]:
        """Return the names that settings may use in braces."""
        return {**super().template_namespace(), **self._names()}

    # The checkpoint

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a checkpoint, also one of KubeSpawner's."""
        super().load_state(state)
        for name in _KEPT:
            if name != "namespace" and state.get(name):
                setattr(self, name, str(state[name]))
        if state.get("namespace"):
            self._placed = str(state["namespace"])
        self.pod_uid = str(state.get("uid") or "")
        self._known = dict(state)

    _known: Mapping[str, Any] = {}

    def get_state(self) -> dict[str, Any]:
        """Return where the pod is, and which it is."""
        return {**super().get_state(), **self._known}

    def clear_state(self) -> None:
        """Forget the pod."""
        super().clear_state()
        self.pod_uid, self._placed, self._known, self._last_account = "", None, {}, ""
        self._made, self._stopped = asyncio.Event(), False
        # What has been called otherwise before gets the names that the settings give it now.
        self.pod_name, self.pvc_name = self._default_pod_name(), self._default_pvc_name()
        self.secret_name, self.dns_name = self._default_secret_name(), self._default_dns_name()

    async def _remember(self, body: Json) -> None:
        # A hook may have called it otherwise.
        self.pod_name, self.pod_uid = str(body["metadata"]["name"]), str(body["metadata"]["uid"])
        self._known = {name: getattr(self, name) for name in ("pod_name", "dns_name")}
        self._known |= {"namespace": self.used_namespace, "uid": self.pod_uid}
        if self.storage_pvc_ensure:
            self._known |= {"pvc_name": self.pvc_name}
        self._placed = self.used_namespace
        self._made.set()
        await self.save_state()

    # Start

    async def start(self) -> str:
        """Start the server and return where it will answer; raises StartError when it cannot be."""
        try:
            return await self._start()
        except Foreign as error:
            raise StartError(
                str(error), hint="The administrator has to see whose it is, and delete it."
            ) from error
        except (Refused, Unreachable, NoAccess, ValueError) as error:
            raise _explained(error) from error

    async def resume_start(self) -> str | None:
        """Go on with a start that was cut off after its checkpoint, and return where the server answers.

        None when there is no such pod, or what it needs is not there any more; StartError as `start` does.
        """
        if not self.pod_uid:
            return None
        try:
            body = await self._pod().look()
            if body is None or sight(body).deleting or not self._is_mine(body):
                return None
            if not await belongings.own(self.api, "secrets", self.used_namespace, self.secret_name, body):
                return None
            self._made.set()
            return await self._wait()
        except (Refused, Unreachable, NoAccess, ValueError) as error:
            raise _explained(error) from error

    async def _start(self) -> str:
        self._check_words()
        self.namespace = self.used_namespace if not self.enable_user_namespaces else self.namespace
        api, pod = self.api, self._pod()
        if self.enable_user_namespaces:
            labels, notes = self.user_namespace_labels, self.user_namespace_annotations
            await belongings.ensure_namespace(
                api, self.used_namespace, self.filled(labels), self.filled(notes)
            )
        if self.storage_pvc_ensure:
            await self._ensure_claim()
        environment = self.get_env()
        manifest = await self._manifest(environment)
        own = await make_way(pod, self.marks(), self.user.name, self.delete_grace_period)
        if own is None:
            await belongings.put(api, "secrets", self._secret(environment))
            own = await create(pod, manifest, self.marks(), self.user.name, self.delete_grace_period)
        await self._remember(own)
        # From now on it goes when the pod goes, whoever deletes that.
        if not await belongings.own(api, "secrets", self.used_namespace, self.secret_name, own):
            raise StartError(f"The Secret {self.secret_name} was deleted while the server started.")
        if self.services_enabled:
            await belongings.put(api, "services", self._service(own))
        if self.after_pod_created_hook is not None:
            await resolve(self.after_pod_created_hook(self, own))
        return await self._wait()

    def _check_words(self) -> None:
        if not self.cmd and self.get_argv():
            self.log.warning("KubeSpawner.args are left out: they need KubeSpawner.cmd")

    async def _wait(self) -> str:
        settled = await wait_until_settled(self._pod())
        if settled is None:
            raise StartError(f"The pod {self.pod_name} was deleted while it started.", hint="Start it again.")
        body, seen = settled
        self._note(seen)
        if seen.hopeless:
            raise StartError(seen.hopeless, hint="Choose another, or ask the administrator.")
        if not seen.status.pod_ip:
            raise StartError("; ".join(seen.account()) or f"The pod {self.pod_name} has ended.")
        self._place(seen)
        if self.get_pod_url is None:
            return str(self.server.host)
        # The watch keeps a part of it alone.
        return str(self.get_pod_url(self, await self._pod().read() or body))

    def _place(self, seen: Sighting) -> None:
        host = seen.status.pod_ip
        if self.pod_connect_ip:
            host = self.filled(self.pod_connect_ip)
        elif self.services_enabled:
            host = self.dns_name
        self.server.place(f"http://{join_host(host, self.port)}")

    def get_env(self) -> dict[str, str]:
        """Return the server's variables; what the deployer's say is filled in, and objects are left out.

        Objects say where Kubernetes finds the value: {"valueFrom": …}.
        """
        env = super().get_env()
        for key, value in self.environment.items():
            if isinstance(value, dict):
                env.pop(key, None)
            elif isinstance(value, str):
                env[key] = self.filled(value)
        return {**env, "JUPYTER_IMAGE": self.image, "JUPYTER_IMAGE_SPEC": self.image} | self.run_labels()

    # Poll and stop

    async def poll(self) -> int | None:
        """Return None while the server lives, else its exit status, 0 when that is not known.

        Raises Refused, Unreachable and NoAccess while the API server does not say.
        """
        if not self._known:
            return 0
        body = await self._pod().see()
        if body is None:
            self._last_account = self._last_account or f"The pod {self.pod_name} was deleted."
            return 0
        seen = sight(body)
        self._note(seen)
        if seen.exit_status is None and seen.running and self.get_pod_url is None:
            self._place(seen)
        return seen.exit_status

    async def stop(self, now: bool = False) -> None:
        """Delete the pod and what belongs to it, and return when it is gone.

        Raises Refused, Unreachable and NoAccess while the API server does not do it.
        """
        pod = self._pod() if self._known else await self._unnoted_pod()
        if pod is not None:
            await pod.delete(0 if now else self.delete_grace_period)
        await self._remove_belongings()
        self._stopped = True

    async def _unnoted_pod(self) -> PodAt | None:
        """Return this run's pod if a start was cut off before it heard that there is one."""
        pod = self._pod()
        body = await pod.read()
        return None if body is None or not self._is_mine(body) else replace(pod, uid=sight(body).metadata.uid)

    async def _remove_belongings(self) -> None:
        # They go with the pod; unless it was never made, or the hub died before it had said so.
        place = self.used_namespace
        await belongings.remove(self.api, "secrets", place, self.secret_name, self._has_had)
        if self.services_enabled:
            await belongings.remove(self.api, "services", place, self.pod_name, self._has_had)

    def _has_had(self, labels: Mapping[str, str]) -> bool:
        """Tell whether something is of this server, and of no newer run, by its labels."""
        return (
            self._server_marks().items() <= labels.items() and number(labels, GENERATION) <= self.generation
        )

    async def run_post_stop_hook(self) -> None:
        """Delete a pod that has ended by itself, and call the deployer's hook."""
        if self._known and self.delete_stopped_pods and not self._stopped:
            try:
                await self.stop(now=True)
            except (Refused, Unreachable, NoAccess) as error:
                self.log.warning("The pod %s has ended and is not deleted yet: %s", self.pod_name, error)
        await super().run_post_stop_hook()

    async def delete_forever(self) -> None:
        """Delete the claim, when the hub makes claims and no other server of the user's has it."""
        if not self.storage_pvc_ensure or not self.delete_pvc:
            return
        await self._find_old_claim()
        if self.name and self.pvc_name == fill(self.pvc_name_template, self._names(server="")):
            return
        await delete_claim(self.api, self.used_namespace, self.pvc_name, self.user.name)

    async def rename(self, old_name: str, new_name: str) -> None:
        """Refuse to rename a server whose files are in a claim that is named for it; raises ValueError."""
        old, new = (fill(self.pvc_name_template, self._names(server=name)) for name in (old_name, new_name))
        if self.storage_pvc_ensure and old != new:
            raise ValueError(f"Its files are in the volume claim {old}, which cannot be renamed.")

    # What Carrel adds

    async def logs(self, tail: int = 200) -> str:
        """Return the last lines of the server, and after them why its pod does not run."""
        if not self._known:
            return ""
        try:
            body = await self._pod().read()
        except (Refused, Unreachable):
            body = None
        if body is None:
            return self._last_account
        seen = sight(body)
        self._note(seen)
        lines = [await happenings.log_of(self.api, seen, tail)]
        if not seen.running:
            lines += [self._last_account, *await happenings.warnings(self.api, seen)]
        return "\n".join(line.strip("\n") for line in lines if line.strip())

    def _note(self, seen: Sighting) -> None:
        """Keep what explains the pod's state: once it is deleted nobody else knows."""
        self._last_account = "\n".join(seen.account()) or self._last_account

    async def usage(self) -> Usage | None:
        """Return the memory that the pod uses, where the cluster measures it."""
        if not self._known:
            return None
        memory = await happenings.memory_of(self.api, self.used_namespace, self.pod_name)
        return None if memory is None else Usage(memory=memory)

    async def waiting(self) -> Waiting | None:
        """Return that the pod waits for a machine, None when it does not."""
        if not self._known:
            return None
        # The hub asks every second: what the watch has not told is not asked for.
        body = self._pod().glance()
        if body is None or not sight(body).unscheduled:
            return None
        return Waiting(reason="No machine of the cluster has room for it yet.")

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what Kubernetes tells of the pod while it starts."""
        yield {"progress": 25, "message": "The pod is being made"}
        if not self.events_enabled:
            return
        await self._made.wait()
        async for event in happenings.told(self.cluster, self._pod()):
            yield event

    async def find_orphans(self, known: Collection[tuple[int, int]]) -> list[Orphan]:
        """Return the pods with this hub's label that are of none of the known runs."""
        watched = "" if self.enable_user_namespaces else self.namespace or self.cluster.namespace
        watch = self.cluster.pods(watched)
        current = await watch.is_current()
        bodies = watch.all() if current else await self.cluster.list_pods(watched)
        return [
            _orphan(body)
            for body in bodies
            if self._counts(seen := sight(body))
            and (number(seen.labels, SERVER), number(seen.labels, GENERATION)) not in known
        ]

    def _counts(self, seen: Sighting) -> bool:
        kept = seen.exit_status is not None and not self.delete_stopped_pods
        labelled = number(seen.labels, SERVER) >= 0 and number(seen.labels, GENERATION) >= 0
        return labelled and not seen.deleting and not kept

    async def recognize(self, orphan: Orphan) -> bool:
        """Take over a pod with this run's labels that is where it should be, and that says whose it is."""
        expected = self.used_namespace
        self.load_state(orphan.state)
        body = await self._pod().read()
        if body is None or self.used_namespace != expected or not self._is_mine(body):
            self.clear_state()
            return False
        self._note(seen := sight(body))
        if seen.running:
            self._place(seen)
        return True

    def _is_mine(self, body: Json) -> bool:
        seen = sight(body)
        ours = self.marks().items() <= seen.labels.items()
        return ours and seen.annotations.get(USER) == self.user.name


def _orphan(body: Json) -> Orphan:
    seen = sight(body)
    about = seen.metadata
    state = {"pod_name": about.name, "namespace": about.namespace, "uid": about.uid}
    user_name = seen.annotations.get(USER, "")
    return Orphan(number(seen.labels, SERVER), number(seen.labels, GENERATION), state, user_name)


def _explained(error: Exception) -> StartError:
    if isinstance(error, Refused):
        hint = "The administrator has to correct the setting that this is about."
        if error.may_pass:
            hint = "Try again in some minutes."
        elif error.status in (401, 403):
            hint = "The administrator has to see whether the hub's service account may do it."
        return StartError(f"Kubernetes does not take the server: {error}", hint=hint)
    if isinstance(error, Unreachable):
        return StartError(f"Kubernetes does not answer: {error}", hint="Try again in some minutes.")
    return StartError(str(error), hint="The administrator has to correct the hub's configuration.")
