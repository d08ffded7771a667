"""AzureAdOAuthenticator: a tenant's people, known by their id_token."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.plugins.oauth import STATE, come_in, hub_for, stay_out
from tests.plugins.visits import start_use_stop
from tests.rigs.oauth_stand_in import CLIENT_ID, OAuthStandIn

PLUGIN = "oauthenticator"
BACK_END = "a stand-in with the shape of Azure AD's token endpoint"
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

TENANT = "8c1f0d52-0000-4000-8000-000000000001"
GROUPS = {"ada": ["8c1f-staff"], "mallory": []}


def id_token(name: str, scopes: list[str]) -> Mapping[str, Any]:
    """Return the id_token that comes with an access token."""
    claims = {
        "aud": CLIENT_ID,
        "tid": TENANT,
        "name": f"{name.title()} Example",
        "preferred_username": f"{name}@college.edu",
        "upn": name,
        "groups": GROUPS[name],
    }
    return {"id_token": jwt.encode(claims, "a key that only the tenant and its tests know", "HS256")}


def test_people_of_the_tenant_come_in(tmp_path: Path) -> None:
    """The tenant's addresses are asked; names and groups are those of the id_token; a server is used."""
    authorize, token = f"/{TENANT}/oauth2/authorize", f"/{TENANT}/oauth2/token"
    with OAuthStandIn(authorize, token, lambda url, name: None, id_token) as azure:
        config = f"""
{STATE}
c.AzureAdOAuthenticator.tenant_id = {TENANT!r}
c.AzureAdOAuthenticator.graph_url = {azure.url!r}
c.AzureAdOAuthenticator.username_claim = 'upn'
c.AzureAdOAuthenticator.manage_groups = True
c.AzureAdOAuthenticator.allowed_groups = {{'8c1f-staff'}}
c.AzureAdOAuthenticator.admin_groups = {{'8c1f-staff'}}
"""
        with hub_for(tmp_path, "azuread", config) as hub:
            ada = come_in(hub, azure, "ada")
            model = hub.api("GET", "users/ada", token=hub.token("ada")).json()
            assert (model["groups"], model["auth_state"]["user"]["tid"]) == (["8c1f-staff"], TENANT)
            assert "not currently authorized" in stay_out(hub, azure, "mallory")
            start_use_stop(hub, ada, "ada")
