"""Where a log-in may lead, and its state."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest
from singleuser_fakehub import CALLBACK, CLIENT_ID, FakeHub
from singleuser_process import hub_environment

from carrel_client.auth.cookies import Cookies
from carrel_client.auth.login import PENDING_SECONDS, PendingLogin, UsedStates, authorize_url, safe_next
from carrel_client.singleuser.environment import read_environment

PREFIX = "/user/alice/"


@pytest.mark.parametrize(
    "wanted",
    [
        "/user/alice/",
        "/user/alice",
        "/user/alice/lab",
        "/user/alice/lab/tree/a%20b.ipynb?reset#top",
        "/user/alice/lab?next=https://elsewhere.example/",
        "/user/alice/files/../lab",
        "/user/%61lice/lab",
    ],
)
def test_next_on_this_server_is_kept(wanted: str) -> None:
    assert safe_next(wanted, PREFIX) == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "lab",
        "/",
        "/hub/home",
        "/user/bob/lab",
        "/user/alice2/lab",
        "/user/alice/../bob/lab",
        "/user/alice/%2e%2e/bob/lab",
        "/user/alice%2F..%2Fbob/lab",
        "/user/alice/..%2fbob",
        "//elsewhere.example/user/alice/",
        "///elsewhere.example/user/alice/",
        "/\\elsewhere.example/user/alice/",
        "/user/alice/\\..\\..\\elsewhere",
        "/%5celsewhere.example/user/alice/",
        "/user/alice/%0d%0aSet-Cookie:x=y",
        "/user/alice/lab\r\nSet-Cookie: x=y",
        "/\t/elsewhere.example",
        " /user/alice/lab",
        "https://elsewhere.example/user/alice/lab",
        "https:/user/alice/lab",
        "javascript:alert(1)",
        "//[bad/user/alice/",
        "/user/alice/" + "x" * 3000,
    ],
)
def test_next_elsewhere_becomes_the_server_itself(wanted: str) -> None:
    assert safe_next(wanted, PREFIX) == PREFIX


def test_next_with_an_escaped_user_name() -> None:
    assert safe_next("/user/a@b/lab", "/user/a%40b/") == "/user/a@b/lab"
    assert safe_next("/user/a%40b/lab", "/user/a%40b/") == "/user/a%40b/lab"
    assert safe_next("/user/a/lab", "/user/a%40b/") == "/user/a%40b/"


def test_a_pending_login_survives_its_cookie() -> None:
    login = PendingLogin.begin("/user/alice/lab")
    assert PendingLogin.load(login.dump()) == login
    assert login.matches(login.state)
    assert login.state != PendingLogin.begin("/user/alice/lab").state


@pytest.mark.parametrize("state", ["", "x", "é"])
def test_another_state_does_not_match(state: str) -> None:
    assert not PendingLogin.begin("/").matches(state)


@pytest.mark.parametrize("text", ["", "{", "\xff", "3", "[1]", "[1,2,3]", "null", '{"a":1}'])
def test_a_mangled_pending_login_is_none(text: str) -> None:
    assert PendingLogin.load(text) is None


def test_a_state_works_once() -> None:
    used = UsedStates()
    assert used.use("a", now=0)
    assert used.use("b", now=1)
    assert not used.use("a", now=PENDING_SECONDS - 1)
    assert used.use("a", now=PENDING_SECONDS + 1)


def test_the_way_to_the_hub() -> None:
    environment = read_environment(hub_environment(FakeHub(port=8081), 8888))
    verifier = Cookies(environment, b"secret").verifier("the-state")
    url = urlsplit(authorize_url(environment, "the-state", verifier))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert f"{url.scheme}://{url.netloc}{url.path}" == "http://127.0.0.1:8081/hub/api/oauth2/authorize"
    assert query == {
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "state": "the-state",
    }
    assert len(verifier) == 43
    assert verifier != Cookies(environment, b"another secret").verifier("the-state")
