from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets import HasTraits, TraitError

from carrel.spawners.environment import ServerFacts, labels, server_environment
from carrel.spawners.logfiles import log_path
from carrel.spawners.traits import ByteSpecification, URLPrefix

FACTS = {
    "user_name": "a b@x",
    "server_name": "lab",
    "prefix": "/base/user/a%20b@x/lab/",
    "listen_url": "http://127.0.0.1:5000/base/user/a%20b@x/lab/",
    "api_url": "http://127.0.0.1:8081/base/hub/api",
    "hub_base_url": "/base/hub/",
    "api_token": "secret",
    "client_id": "jupyterhub-user-a",
}


def environment(**facts: object) -> dict[str, str]:
    return server_environment(ServerFacts(**(FACTS | facts)))  # type: ignore[arg-type]


def test_the_variables_that_every_server_needs() -> None:
    env = environment(access_scopes=("access:servers!server=a/lab",))
    assert env["JUPYTERHUB_API_TOKEN"] == env["JPY_API_TOKEN"] == "secret"
    assert env["JUPYTERHUB_BASE_URL"] == "/base/"
    assert env["JUPYTERHUB_ACTIVITY_URL"] == "http://127.0.0.1:8081/base/hub/api/users/a%20b@x/activity"
    assert env["JUPYTERHUB_OAUTH_CALLBACK_URL"] == "/base/user/a%20b@x/lab/oauth_callback"
    assert json.loads(env["JUPYTERHUB_OAUTH_ACCESS_SCOPES"]) == ["access:servers!server=a/lab"]
    assert env["JUPYTERHUB_OAUTH_SCOPES"] == env["JUPYTERHUB_OAUTH_ACCESS_SCOPES"]
    assert json.loads(env["JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"]) == []
    assert (env["JUPYTERHUB_HOST"], env["JUPYTERHUB_PUBLIC_URL"], env["JUPYTERHUB_PUBLIC_HUB_URL"]) == (
        "",
        "",
        "",
    )
    assert (env["JUPYTERHUB_USER"], env["JUPYTERHUB_SERVER_NAME"]) == ("a b@x", "lab")
    assert env["JUPYTERHUB_SERVICE_URL"] == FACTS["listen_url"]
    assert (env["JUPYTERHUB_COOKIE_OPTIONS"], env["JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"]) == ("{}", "0")


def test_the_variables_that_only_some_servers_get() -> None:
    unset = environment()
    env = environment(debug=True, disable_user_config=True, root_dir="/nb", mem_limit=2**30, cpu_limit=0.5)
    extra = {key: value for key, value in env.items() if key not in unset}
    assert extra == {
        "JUPYTERHUB_DEBUG": "1",
        "JUPYTERHUB_DISABLE_USER_CONFIG": "1",
        "JUPYTERHUB_ROOT_DIR": "/nb",
        "MEM_LIMIT": "1073741824",
        "CPU_LIMIT": "0.5",
    }


def test_public_addresses() -> None:
    env = environment(public_host="https://hub.org", public_url="https://hub.org", cookie_host_prefix=True)
    assert env["JUPYTERHUB_HOST"] == "https://hub.org"
    # On the hub's own host a path will do, whichever address the visitor came by.
    assert env["JUPYTERHUB_OAUTH_CALLBACK_URL"] == "/base/user/a%20b@x/lab/oauth_callback"
    assert env["JUPYTERHUB_PUBLIC_URL"] == "https://hub.org/base/user/a%20b@x/lab/"
    assert env["JUPYTERHUB_PUBLIC_HUB_URL"] == "https://hub.org/base/hub/"
    assert env["JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"] == "1"


def test_addresses_of_a_server_with_a_host_of_its_own() -> None:
    origins = {"public_host": "https://hub.org", "public_url": "https://hub.org"}
    env = environment(**origins, server_host="https://ada.hub.org")
    prefix = "https://ada.hub.org/base/user/a%20b@x/lab/"
    assert env["JUPYTERHUB_HOST"] == "https://hub.org"
    assert env["JUPYTERHUB_OAUTH_CALLBACK_URL"] == f"{prefix}oauth_callback"
    assert env["JUPYTERHUB_PUBLIC_URL"] == prefix
    assert env["JUPYTERHUB_PUBLIC_HUB_URL"] == "https://hub.org/base/hub/"


def test_certificates() -> None:
    env = environment(cert_paths={"keyfile": "/k", "certfile": "/c", "cafile": "/a"})
    found = [env[f"JUPYTERHUB_SSL_{name}"] for name in ("KEYFILE", "CERTFILE", "CLIENT_CA")]
    assert found == ["/k", "/c", "/a"]


def test_labels() -> None:
    assert labels("hub", 3, 9) == {
        "CARREL_HUB_ID": "hub",
        "CARREL_SERVER_ID": "3",
        "CARREL_GENERATION": "9",
    }


class Sized(HasTraits):
    size = ByteSpecification()
    prefix = URLPrefix("/")


@pytest.mark.parametrize(
    ("given_size", "bytes_"),
    [(1024, 1024), ("1024", 1024), ("1K", 1024), ("1.5g", 3 * 2**29), ("2 T", 2**41), (1.0, 1)],
)
def test_sizes(given_size: object, bytes_: int) -> None:
    assert Sized(size=given_size).size == bytes_


@pytest.mark.parametrize("wrong", ["", "1X", "1GB", "-1", "one", True, None, []])
def test_what_is_no_size(wrong: object) -> None:
    with pytest.raises(TraitError, match="size"):
        Sized(size=wrong)


@pytest.mark.parametrize(("path", "kept"), [("", "/"), ("a", "/a/"), ("/a/b", "/a/b/"), ("//", "/")])
def test_prefixes(path: str, kept: str) -> None:
    assert Sized(prefix=path).prefix == kept


@given(
    names=st.tuples(st.text(min_size=1), st.text(min_size=1)), ids=st.tuples(st.integers(0), st.integers(0))
)
def test_two_servers_never_share_a_log(names: tuple[str, str], ids: tuple[int, int]) -> None:
    paths = [log_path("/logs", name, number) for name, number in zip(names, ids, strict=True)]
    assert all(str(path.parent) == "/logs" for path in paths)
    assert (paths[0] == paths[1]) <= (ids[0] == ids[1])
