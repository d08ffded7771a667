"""The tables of names: no name in two of them, and every trait of JupyterHub in one."""

from __future__ import annotations

from itertools import combinations

import pytest

from carrel.config.names import (
    DEPRECATED,
    DERIVED,
    NO_EFFECT,
    NOT_USED,
    REFUSED,
    is_access,
    known_names,
    nearest,
)
from carrel.config.schema import setting_fields

TRAITS = """
authenticator_class spawner_class proxy_class bind_url ip port base_url ssl_key ssl_cert public_url
subdomain_host subdomain_hook hub_ip hub_port hub_bind_url hub_connect_ip hub_connect_url
hub_connect_port hub_routespec hub_socket_mode db_url db_kwargs debug_db reset_db upgrade_db
cookie_secret cookie_secret_file cookie_max_age_days cookie_host_prefix_enabled oauth_token_expires_in
oauth_require_pkce token_expires_in_max_seconds trust_user_provided_tokens concurrent_spawn_limit
active_server_limit active_user_window activity_resolution last_activity_interval service_check_interval
init_spawners_timeout cleanup_servers cleanup_proxy shutdown_on_logout redirect_to_server default_url
default_server_name implicit_spawn_seconds allow_named_servers named_server_limit_per_user
allow_existing_invalid_named_servers user_redirect_hook services load_roles load_groups extra_user_scopes
custom_scopes service_tokens api_tokens admin_access admin_users authenticate_prometheus template_paths
template_vars logo_file jinja_environment_options data_files_path tornado_settings forwarded_host_header
trusted_downstream_ips extra_handlers extra_log_handlers extra_log_file pid_file internal_ssl
internal_certs_location recreate_internal_certs external_ssl_authorities trusted_alt_names generate_certs
api_page_default_limit api_page_max_limit use_legacy_stopped_server_status_code config_file
generate_config answer_yes proxy_api_ip proxy_api_port proxy_auth_token proxy_check_interval proxy_cmd
debug_proxy confirm_no_ssl log_level log_datefmt log_format logging_config show_config show_config_json
"""

JUPYTERHUB = TRAITS.split()


def test_every_trait_of_jupyterhub_has_its_place() -> None:
    assert set(JUPYTERHUB) - known_names() == set()


def test_no_name_stands_in_two_tables() -> None:
    tables = [
        set(setting_fields()),
        *(set(table) for table in (NOT_USED, NO_EFFECT, REFUSED, DEPRECATED, DERIVED)),
    ]
    assert [left & right for left, right in combinations(tables, 2) if left & right] == []


def test_names_of_jupyterhub_are_never_taken_for_one_another() -> None:
    assert [name for name in JUPYTERHUB if nearest(name, known_names()) != name] == []


def test_a_seen_name_that_never_existed_is_near_to_none() -> None:
    assert nearest("cookie_options", known_names() - set(NO_EFFECT)) is None


@pytest.mark.parametrize("name", ["allow_all", "blocked_users", "admin_groups", "users", "org_whitelist"])
def test_names_that_say_who_gets_in(name: str) -> None:
    assert is_access(name)


@pytest.mark.parametrize("name", ["username_claim", "create_system_users", "auto_login", "start_timeout"])
def test_names_that_do_not(name: str) -> None:
    assert not is_access(name)
