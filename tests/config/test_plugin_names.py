"""JupyterHub's own traits are never taken for typing errors by the built-in classes."""

from __future__ import annotations

import pytest
from traitlets import HasTraits
from traitlets.config import Config

from carrel.authenticators.dummy import DummyAuthenticator
from carrel.authenticators.pam import PAMAuthenticator
from carrel.config.plugins import check_plugins
from carrel.config.schema import Settings
from carrel.proxy.embedded import CarrelProxy
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.simple import SimpleLocalProcessSpawner

TRAITS = {
    "Authenticator": """
        admin_users allow_all allowed_users allow_existing_users any_allow_config blocked_users
        username_pattern username_map auto_login auto_login_oauth2_authorize enable_auth_state
        auth_refresh_age auth_refresh_strict refresh_pre_spawn refresh_pre_stop post_auth_hook
        reconcile_auth_state_hook manage_groups manage_roles reset_managed_roles_on_startup
        delete_invalid_users request_otp otp_prompt
    """,
    "LocalAuthenticator": """
        add_user_cmd create_system_users allowed_groups uids
    """,
    "PAMAuthenticator": """
        service open_sessions check_account encoding executor_threads admin_groups
        pam_normalize_username
    """,
    "Spawner": """
        cmd args ip port hub_connect_url start_timeout http_timeout poll_interval poll_jitter
        environment env_keep notebook_dir default_url disable_user_config debug mem_limit
        mem_guarantee cpu_limit cpu_guarantee options_form options_from_form apply_user_options
        group_overrides pre_spawn_hook post_stop_hook auth_state_hook progress_ready_hook
        oauth_client_allowed_scopes oauth_roles server_token_scopes consecutive_failure_limit
        ssl_alt_names ssl_alt_names_include_local
    """,
    "LocalProcessSpawner": """
        interrupt_timeout term_timeout kill_timeout popen_kwargs shell_cmd
    """,
    "Proxy": """
        should_start extra_routes
    """,
    "ConfigurableHTTPProxy": """
        api_url auth_token command command_umask check_running_interval concurrency debug
        log_level pid_file
    """,
}


@pytest.mark.parametrize("authenticator", [PAMAuthenticator, DummyAuthenticator])
@pytest.mark.parametrize("spawner", [LocalProcessSpawner, SimpleLocalProcessSpawner])
def test_no_name_is_fatal(authenticator: type[HasTraits], spawner: type[HasTraits]) -> None:
    plugins = Config({section: dict.fromkeys(names.split()) for section, names in TRAITS.items()})
    found = check_plugins(Settings(plugins=plugins), [authenticator, spawner, CarrelProxy])
    assert [str(problem) for problem in found if problem.fatal and "it must be" not in problem.message] == []
