"""People of an LDAP directory: by their DN or by one that is looked up, with TLS, by groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.environment import carrel_with_plugins
from tests.plugins.visits import problem, start_use_stop, trial_config, who
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.slapd import (
    ADMINS,
    BASE,
    PASSWORDS,
    PEOPLE,
    READER,
    READER_PASSWORD,
    STAFF,
    Slapd,
    find_slapd,
    make_certificate,
)
from tests.rigs.systems import free_port
from tests.rigs.visitor import Visitor

PLUGIN = "jupyterhub-ldapauthenticator"
BACK_END = "OpenLDAP's slapd 2.5"
NOTES = (
    "The plug-in knows no groups of administrators; a `post_auth_hook` makes them of what it finds "
    "([how](../how-to/authenticators.md#ldap)).",
)
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

WRONG = "Invalid username or password"
BASIS = """
import ssl
c.JupyterHub.authenticator_class = 'ldap'
c.LDAPAuthenticator.server_address = '127.0.0.1'
"""
GROUPS = """
async def apply_groups(authenticator, handler, model):
    groups = [dn.partition(',')[0].removeprefix('cn=') for dn in model['auth_state']['ldap_groups']]
    return model | {'groups': groups, 'admin': 'admins' in groups}

c.Authenticator.post_auth_hook = apply_groups
c.Authenticator.manage_groups = True
"""
MODULES = """
import atexit, pathlib, sys
atexit.register(lambda: pathlib.Path('modules').write_text('\\n'.join(sys.modules)))
"""


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    program = find_slapd()
    need(program, "slapd")
    assert program is not None
    with Slapd(program, tmp_path_factory.mktemp("slapd") / "ldap") as running:
        yield running


@pytest.fixture(scope="module")
def hub(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """Staff of the directory may come in, by their own DN, over a connection that becomes TLS."""
    config = f"""
{BASIS}{GROUPS}
c.LDAPAuthenticator.server_port = {slapd.port}
c.LDAPAuthenticator.tls_kwargs = {{
    'validate': ssl.CERT_REQUIRED, 'ca_certs_file': {str(slapd.certificate)!r}, 'valid_names': ['localhost'],
}}
c.LDAPAuthenticator.bind_dn_template = ['uid={{username}},ou=elsewhere,{BASE}', 'uid={{username}},{PEOPLE}']
c.LDAPAuthenticator.allowed_groups = [{STAFF!r}, {ADMINS!r}]
c.LDAPAuthenticator.auth_state_attributes = ['mail', 'cn']
c.Authenticator.enable_auth_state = True
c.CryptKeeper.keys = ['11' * 32]
"""
    with start(tmp_path_factory.mktemp("hub"), config) as running:
        yield running


def start(directory: Path, config: str) -> HubProcess:
    return HubProcess(carrel_with_plugins(), directory, config + trial_config(directory))


def sign_in(hub: HubProcess, name: str, password: str = "") -> tuple[Visitor, str]:
    """Return a visitor and what the hub had against their log-in."""
    visitor = hub.visitor()
    return visitor, problem(visitor.log_in(name, password or PASSWORDS.get(name, "?")))


def test_bob_signs_in_and_uses_a_server(hub: HubProcess) -> None:
    """A member of an allowed group binds over StartTLS with a checked certificate, and uses a server."""
    bob, refusal = sign_in(hub, "bob")
    assert refusal == ""
    assert who(bob) == "bob"
    start_use_stop(hub, bob, "bob")


def test_wrong_passwords_are_refused_on_the_form(hub: HubProcess) -> None:
    """A wrong or empty password and an unknown name get the log-in page with one and the same words."""
    for name, password in (("bob", "wrong"), ("bob", " "), ("nobody", "wrong"), ("mallory", "wonder*land")):
        visitor, refusal = sign_in(hub, name, password)
        assert refusal == WRONG, (name, password)
        assert who(visitor) == ""


def test_who_is_in_no_allowed_group_stays_out(hub: HubProcess) -> None:
    """The right password of somebody who is in none of allowed_groups is not enough."""
    visitor, refusal = sign_in(hub, "mallory")
    assert "mallory" in refusal
    assert refusal != WRONG
    assert who(visitor) == ""


def test_groups_and_administrators_come_from_the_directory(hub: HubProcess) -> None:
    """A post_auth_hook makes hub groups and administrators of LDAP's groups; auth_state keeps attributes."""
    sign_in(hub, "alice")
    sign_in(hub, "bob")
    token = hub.token("alice")
    alice = hub.api("GET", "users/alice", token=token).json()
    assert (alice["admin"], sorted(alice["groups"])) == (True, ["admins", "staff"])
    assert alice["auth_state"] == {
        "ldap_groups": [STAFF, ADMINS],
        "user_attributes": {"mail": ["alice@example.org"], "cn": ["Alice Example"]},
    }
    bob = hub.api("GET", "users/bob", token=token).json()
    assert (bob["admin"], bob["groups"]) == (False, ["staff"])


@pytest.mark.parametrize(
    "name", ["*", "alice,ou=people", "alice)(uid=*", "alice\0", "uid=alice+cn=x", 'ali"ce', "a" * 5000]
)
def test_names_that_mean_something_to_ldap_are_refused(hub: HubProcess, name: str) -> None:
    """Characters of DNs and filters in the form's name are refused as any wrong name."""
    visitor, refusal = sign_in(hub, name, PASSWORDS["alice"])
    assert refusal == WRONG
    assert who(visitor) == ""


def test_a_dn_that_is_looked_up(slapd: Slapd, tmp_path: Path) -> None:
    """lookup_dn with a search user, search_filter and LDAPS; patterns typed as names match nobody.

    The plug-in's own check of names is off, so that its escaping is what is tried.
    """
    config = f"""
{BASIS}
c.LDAPAuthenticator.tls_strategy = 'on_connect'
c.LDAPAuthenticator.server_port = {slapd.tls_port}
c.LDAPAuthenticator.lookup_dn = True
c.LDAPAuthenticator.lookup_dn_search_user = {READER!r}
c.LDAPAuthenticator.lookup_dn_search_password = {READER_PASSWORD!r}
c.LDAPAuthenticator.user_search_base = {PEOPLE!r}
c.LDAPAuthenticator.user_attribute = 'mail'
c.LDAPAuthenticator.lookup_dn_user_dn_attribute = 'uid'
c.LDAPAuthenticator.use_lookup_dn_username = True
c.LDAPAuthenticator.search_filter = '(&(objectClass=inetOrgPerson)(uid={{username}}))'
c.LDAPAuthenticator.valid_username_regex = '.*'
c.Authenticator.allowed_users = {{'alice'}}
"""
    with start(tmp_path, config) as hub:
        for name in ("alic*", "*", "alice@example.org)(mail=*", "alice"):
            assert sign_in(hub, name, PASSWORDS["alice"])[1] == WRONG, name
        alice, refusal = sign_in(hub, "alice@example.org", PASSWORDS["alice"])
        assert (refusal, who(alice)) == ("", "alice")
        assert "bob" in sign_in(hub, "bob@example.org", PASSWORDS["bob"])[1]
        start_use_stop(hub, alice, "alice")


def test_a_server_that_cannot_be_reached_or_believed(slapd: Slapd, tmp_path: Path) -> None:
    """No server, and one whose certificate is not the expected: a page says that logging in does not work."""
    foreign = tmp_path / "foreign.pem"
    make_certificate(foreign, tmp_path / "foreign-key.pem")
    tls = f"{{'validate': ssl.CERT_REQUIRED, 'ca_certs_file': {str(foreign)!r}}}"
    for number, (port, kwargs) in enumerate([(free_port(), "{}"), (slapd.port, tls)]):
        config = f"""
{BASIS}
c.LDAPAuthenticator.server_port = {port}
c.LDAPAuthenticator.tls_kwargs = {kwargs}
c.LDAPAuthenticator.bind_dn_template = 'uid={{username}},{PEOPLE}'
c.Authenticator.allow_all = True
"""
        with start(tmp_path / str(number), config) as hub:
            visitor = hub.visitor()
            reply = visitor.log_in("alice", PASSWORDS["alice"])
            assert reply.status == 500
            assert "ask whoever runs this hub" in problem(reply)
            assert who(visitor) == ""
            assert "LDAPSocketOpenError" in hub.log or "LDAPStartTLSError" in hub.log
            assert PASSWORDS["alice"] not in hub.log


def test_tornado_is_not_needed(slapd: Slapd, tmp_path: Path) -> None:
    """A hub with this plug-in never imports Tornado, from its start over a log-in to its end."""
    config = f"""
{BASIS}{MODULES}
c.LDAPAuthenticator.server_port = {slapd.port}
c.LDAPAuthenticator.bind_dn_template = 'uid={{username}},{PEOPLE}'
c.Authenticator.allow_all = True
"""
    with start(tmp_path, config) as hub:
        assert sign_in(hub, "alice")[1] == ""
        assert hub.terminate() == 0
    modules = (tmp_path / "modules").read_text().split()
    assert "ldapauthenticator.ldapauthenticator" in modules
    assert "tornado" not in modules
