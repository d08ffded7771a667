"""Servers in containers of one engine, Docker's or Podman's.

The settings have dockerspawner's names, and configurations for it mean the same here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from traitlets import Any as AnyTrait
from traitlets import (
    Bool,
    CaselessStrEnum,
    Dict,
    Float,
    Integer,
    List,
    Unicode,
    Union,
    default,
    observe,
    validate,
)
from traitlets import Callable as CallableTrait

from carrel.domain.errors import Invalid
from carrel.lib.awaiting import resolve
from carrel.lib.net import join_host
from carrel.spawners.docker import images, inspection, manifest
from carrel.spawners.docker.address import OLD_TLS, EngineAddress, find_engine, old_tls
from carrel.spawners.docker.containers import Containers
from carrel.spawners.docker.engine import Engine
from carrel.spawners.docker.names import check_name, escaping, image_slug
from carrel.spawners.docker.runs import ContainerRuns
from carrel.spawners.docker.volumes import Volume, read_mount, read_volumes
from carrel.spawners.errors import StartError
from carrel.spawners.options import FormData
from carrel.spawners.templates import expand
from carrel.spawners.traits import ByteSpecification, Command, setting

_RENAMED = {
    "container_image": "image",
    "container_ip": "host_ip",
    "container_name_template": "name_template",
    "container_port": "port",
    "container_prefix": "prefix",
    "image_whitelist": "allowed_images",
    "remove_containers": "remove",
}


class DockerSpawner(ContainerRuns):
    """Starts each server in a container of its own, on an engine of Docker or Podman."""

    image = setting(Unicode("quay.io/jupyterhub/singleuser:6.1"), "The image of servers.")
    allowed_images: Any = setting(
        Union([List(Unicode()), Dict(Unicode()), CallableTrait(), Unicode()], default_value=[]),
        "The images that people choose from: a list, a dictionary of label to image, a callable (spawner) "
        "that returns either, or '*' for any image. Empty: nobody chooses.",
    )
    pull_policy = setting(
        CaselessStrEnum(["ifnotpresent", "always", "never", "skip"], default_value="ifnotpresent"),
        "When an image is pulled: ifnotpresent, always or never; skip does not look whether it is there.",
    )
    cmd: Any = setting(
        Command(None, allow_none=True), "The command that starts a server; None is what the image says."
    )
    ip = setting(Unicode("0.0.0.0"), "The address that a server listens on, in its container.")  # noqa: S104
    port = setting(Integer(8888), "The port that a server listens on, in its container.")
    env_keep: Any = setting(List(Unicode()), "The hub's own variables that servers are given.")
    host_ip = setting(
        Unicode(), "The address of the engine's machine at which ports of containers are published."
    )
    network_name = setting(Unicode("bridge"), "The network that containers are in.")
    use_internal_ip = setting(
        Bool(), "Reach a server at its container's own address; so by default in a network other than bridge."
    )
    use_internal_hostname = setting(
        Bool(False), "Reach a server by its container's name, which Docker's DNS knows."
    )
    hub_ip_connect = setting(Unicode(), "Deprecated: use c.JupyterHub.hub_connect_ip.")
    links: Any = setting(Dict(), "Containers that servers see under another name: {container: alias}.")
    volumes: Any = setting(
        Dict(),
        "What containers see: {volume or directory: path in the container}, where the latter may be "
        "{'bind': path, 'mode': 'ro'}. Templates as in name_template are filled in.",
    )
    read_only_volumes: Any = setting(Dict(), "As volumes; servers cannot write there.")
    mounts: Any = setting(
        List(), "Mounts with the names of docker.types.Mount or the API; source and target are templates."
    )
    format_volume_name: Any = setting(
        AnyTrait(), "What fills in templates of volumes: a callable (template, spawner)."
    )
    prefix = setting(Unicode("jupyter"), "How names of containers begin.")
    name_template = setting(
        Unicode(),
        "The name of a container: {prefix}, {username}, {servername}, both escaped, {raw_username}, "
        "{raw_servername} and {imagename} are filled in.",
    )
    escape: Any = setting(
        AnyTrait(), "What makes names safe: a callable (text), or 'legacy' for dockerspawner's of before 12."
    )
    remove = setting(
        Bool(False), "Remove a container when its server has stopped; else it is started again the next time."
    )
    stop_timeout = setting(
        Integer(10), "How long a container may take to end, in seconds; then it is killed."
    )
    post_start_cmd: Any = setting(
        Union([Bool(), Unicode(), List(Unicode())], default_value=False),
        "A command to run in a started container.",
    )
    mem_limit: Any = setting(
        Union([ByteSpecification(), CallableTrait()], default_value=None, allow_none=True),
        "The most memory that a server may use (1G), or a callable (spawner).",
    )
    swap_limit: Any = setting(
        ByteSpecification(None, allow_none=True),
        "The swap that a server may use beyond mem_limit; None is as much again.",
    )
    cpu_limit: Any = setting(
        Union([Float(), CallableTrait()], default_value=None, allow_none=True),
        "The most CPUs that a server may use, or a callable (spawner).",
    )
    pids_limit: Any = setting(
        Integer(None, allow_none=True), "The most processes and threads that a server may have."
    )
    gpus: Any = setting(
        Union([Integer(), Unicode(), List(Unicode())], default_value=None, allow_none=True),
        "The graphics cards that a server gets: a number, 'all', or a list of ids.",
    )
    extra_create_kwargs: Any = setting(
        Union([Dict(), CallableTrait()], default_value={}),
        "More about containers, or a callable (spawner): names of docker-py's create_container or the API's.",
    )
    extra_host_config: Any = setting(
        Union([Dict(), CallableTrait()], default_value={}),
        "More of the host configuration, or a callable (spawner): names of docker-py's or of the API.",
    )
    use_docker_client_env = setting(
        Bool(True), "Obey DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH in the hub's environment."
    )
    client_kwargs: Any = setting(Dict(), "How the engine is reached: base_url, timeout, tls.")
    tls_config: Any = setting(
        Dict(),
        "Certificates for the engine: client_cert (file, key), ca_cert, verify, assert_hostname.",
    )
    container_image = setting(Unicode(), "Deprecated: use image.")
    container_ip = setting(Unicode(), "Deprecated: use host_ip.")
    container_name_template = setting(Unicode(), "Deprecated: use name_template.")
    container_port = setting(Integer(), "Deprecated: use port.")
    container_prefix = setting(Unicode(), "Deprecated: use prefix.")
    image_whitelist: Any = setting(
        Union([List(Unicode()), Dict(Unicode()), CallableTrait()], default_value=[]),
        "Deprecated: use allowed_images.",
    )
    remove_containers = setting(Bool(False), "Deprecated: use remove.")
    tls: Any = setting(AnyTrait(), "Deprecated: use tls_config.")
    tls_ca: Any = setting(AnyTrait(), "Deprecated: use tls_config['ca_cert'].")
    tls_cert: Any = setting(AnyTrait(), "Deprecated: use tls_config['client_cert'].")
    tls_key: Any = setting(AnyTrait(), "Deprecated: use tls_config['client_cert'].")
    tls_verify: Any = setting(AnyTrait(), "Deprecated: use tls_config['verify'].")
    tls_assert_hostname: Any = setting(AnyTrait(), "Deprecated: use tls_config['assert_hostname'].")

    @default("options_form")
    def _default_options_form(self) -> Any:
        return DockerSpawner._image_form

    @default("use_internal_ip")
    def _default_use_internal_ip(self) -> bool:
        return bool(self.network_name != "bridge")

    @default("name_template")
    def _default_name_template(self) -> str:
        return "{prefix}-{username}--{servername}" if self.name else "{prefix}-{username}"

    @default("host_ip")
    def _default_host_ip(self) -> str:
        host = self._address().host
        if not host:
            return "127.0.0.1"
        # A port is published at an address, not at a name.
        return host if host[0].isdecimal() or ":" in host else "0.0.0.0"  # noqa: S104 - the engine's machine

    @default("hub_connect_url")
    def _default_hub_connect_url(self) -> str | None:
        if not self.hub_ip_connect:
            return None
        parts = urlsplit(self.hub.api_url)
        return str(urlunsplit(parts._replace(netloc=join_host(self.hub_ip_connect, parts.port or 80))))

    @observe(*_RENAMED)
    def _obey_old_name(self, change: Any) -> None:
        setattr(self, _RENAMED[change.name], change.new)

    @validate("mem_limit", "cpu_limit")
    def _ask_for_limit(self, proposal: Any) -> Any:
        value = proposal.value(self) if callable(proposal.value) else proposal.value
        if value is None or proposal.trait.name == "cpu_limit":
            return value
        return ByteSpecification().validate(self, value)

    # What people choose

    async def _image_form(self) -> str:
        allowed = await self._allowed()
        if allowed == images.ANY:
            return images.free_form(self.image)
        listed = images.choices(allowed)
        return images.form(listed, self.image) if listed else ""

    async def run_options_from_form(self, form_data: FormData) -> dict[str, Any]:
        """Return the options of a form: this driver's own, or what the deployer's reader makes of it."""
        read = await super().run_options_from_form(form_data)
        chosen = read.get("image")
        if self.options_from_form == "passthrough" and isinstance(chosen, list) and len(chosen) == 1:
            try:
                # Looked at now, so that the form can say what is wrong with it.
                images.choose(await self._allowed(), chosen[0])
            except StartError as error:
                raise Invalid(str(error)) from error
            return {**read, "image": chosen[0]}
        return read

    async def run_apply_user_options(self, user_options: Mapping[str, Any]) -> None:
        """Apply chosen options; an image that is not allowed is refused (StartError)."""
        # What an option of a profile says is further in, and is applied with the profile.
        rule, wanted = self.apply_user_options, user_options.get("image")
        allowed = await self._allowed()
        image = None
        # Without a list, a rule of the deployer's that knows the option says what becomes of it.
        if wanted is not None and (allowed or not (callable(rule) or "image" in (rule or {}))):
            image = images.choose(allowed, wanted)
        await super().run_apply_user_options(user_options)
        if image is not None:
            self.image = image

    async def _allowed(self) -> Any:
        rule = self.allowed_images
        return await resolve(rule(self)) if callable(rule) else rule

    # Names

    def template_namespace(self) -> dict[str, Any]:
        """Return the names that templates may use; those of people are escaped, but for the raw ones."""
        safe = escaping(self.escape)
        return {
            **super().template_namespace(),
            "username": safe(self.user.name),
            "safe_username": safe(self.user.name),
            "raw_username": self.user.name,
            "servername": safe(self.name),
            "raw_servername": self.name,
            "imagename": image_slug(self.image),
            "prefix": self.prefix,
        }

    @property
    def object_name(self) -> str:
        """Return the container's name."""
        return check_name(expand(self.name_template, self.template_namespace()))

    container_name = object_name

    def _fill_in(self, template: str) -> str:
        if callable(self.format_volume_name):
            return str(self.format_volume_name(template, self))
        return expand(template, self.template_namespace())

    # The engine

    def _address(self) -> EngineAddress:
        old = {name: getattr(self, f"tls_{name}") for name in OLD_TLS}
        tls = {**old_tls(old), **self.tls_config}
        client = {"tls": self.tls, **self.client_kwargs} if self.tls is not None else self.client_kwargs
        return find_engine(os.environ if self.use_docker_client_env else {}, client, tls)

    def _containers(self) -> Containers:
        address = self._address()
        return Containers(self.shared.get((Engine, address), lambda: Engine(address)))

    def _chosen_way(self) -> str:
        """Return how servers are reached, by the settings."""
        if self._network() == "host":
            return "host"
        if self.use_internal_hostname:
            return "name"
        return "internal" if self.use_internal_ip else "published"

    def _where(self, seen: Mapping[str, Any]) -> tuple[str, int]:
        """Return where a running container's server is reached from here."""
        # By its own word: it may be older than the settings, or have been given a free one.
        port, way = inspection.listens_at(seen) or self.port, self._way or self._chosen_way()
        if way == "host":
            return self._outside(""), port
        if way == "name":
            return str(seen["Name"]).lstrip("/"), port
        if way == "internal":
            return inspection.internal_address(seen, str(seen["HostConfig"].get("NetworkMode"))), port
        place = inspection.published(seen, port)
        if place is None:
            raise StartError(
                f"The container's port {port} is not published.",
                hint="The administrator has to see whether c.DockerSpawner.extra_host_config has other ports,"
                " or set use_internal_ip.",
            )
        return self._outside(place[0]), place[1]

    def _outside(self, published: str) -> str:
        """Return where this machine reaches what the engine's publishes at an address."""
        everywhere = published in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
        return (self._address().host or "127.0.0.1") if everywhere else published

    def _network(self) -> str:
        extra = self._called(self.extra_host_config)
        return str(extra.get("network_mode") or extra.get("NetworkMode") or self.network_name)

    def _called(self, setting: Any) -> Mapping[str, Any]:
        value = setting(self) if callable(setting) else setting
        return dict(value or {})

    async def _plan(self) -> manifest.Plan:
        """Return the container as the settings want it; a subclass changes it."""
        network = self._network()
        inside = self.use_internal_ip or self.use_internal_hostname or network in ("host", "none")
        return manifest.Plan(
            name=self.object_name,
            image=self.image,
            env=self.get_env() | self.run_labels(),
            labels=self._marks(),
            port=self.port,
            command=await self._command(),
            network=network,
            publish=None if inside else self.host_ip,
            volumes=self._volumes(),
            mounts=[read_mount(mount, self._fill_in) for mount in self.mounts],
            links=self.links,
            gpus=manifest.cards(self.gpus, self.leased_devices("gpu")),
            limits=manifest.Limits(
                memory=self.mem_limit,
                memory_guarantee=self.mem_guarantee,
                swap=self.swap_limit,
                cpus=self.cpu_limit,
                cpu_guarantee=self.cpu_guarantee,
                pids=self.pids_limit,
            ),
            extra_create=self._called(self.extra_create_kwargs),
            extra_host=self._called(self.extra_host_config),
        )

    def _volumes(self) -> list[Volume]:
        setting = "c.DockerSpawner"
        return [
            *read_volumes(f"{setting}.volumes", self.volumes, self._fill_in),
            *read_volumes(f"{setting}.read_only_volumes", self.read_only_volumes, self._fill_in, mode="ro"),
        ]

    async def _command(self) -> list[str] | None:
        args = self.get_argv()
        if self.cmd is not None:
            return [*self.cmd, *args]
        if not args:
            return None
        seen = await self._containers().image(images.parse_image(self.image).text)
        return [*((seen or {}).get("Config", {}).get("Cmd") or []), *args]
