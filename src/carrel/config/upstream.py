"""JupyterHub's own traits: their names, and what happens to those of its classes that do nothing here."""

from __future__ import annotations

_HUB_TRAITS = """
    active_server_limit active_user_window activity_resolution admin_access admin_users
    allow_existing_invalid_named_servers allow_named_servers answer_yes api_page_default_limit
    api_page_max_limit api_tokens authenticate_prometheus authenticator_class base_url bind_url
    cleanup_proxy cleanup_servers concurrent_spawn_limit config_file confirm_no_ssl
    cookie_host_prefix_enabled cookie_max_age_days cookie_secret cookie_secret_file custom_scopes
    data_files_path db_kwargs db_url debug_db debug_proxy default_server_name default_url
    external_ssl_authorities extra_handlers extra_log_file extra_log_handlers extra_user_scopes
    forwarded_host_header generate_certs generate_config hub_bind_url hub_connect_ip hub_connect_port
    hub_connect_url hub_ip hub_port hub_routespec hub_socket_mode implicit_spawn_seconds
    init_spawners_timeout internal_certs_location internal_ssl ip jinja_environment_options
    last_activity_interval load_groups load_roles log_datefmt log_format log_level logging_config
    logo_file named_server_limit_per_user oauth_require_pkce oauth_token_expires_in pid_file port
    proxy_api_ip proxy_api_port proxy_auth_token proxy_check_interval proxy_class proxy_cmd public_url
    recreate_internal_certs redirect_to_server reset_db service_check_interval service_tokens services
    show_config show_config_json shutdown_on_logout spawner_class ssl_cert ssl_key subdomain_hook
    subdomain_host template_paths template_vars token_expires_in_max_seconds tornado_settings
    trust_user_provided_tokens trusted_alt_names trusted_downstream_ips upgrade_db
    use_legacy_stopped_server_status_code user_redirect_hook
"""
#: Every trait of JupyterHub 6's application, so that a sample can tell its settings from Carrel's own.
HUB_TRAITS = frozenset(_HUB_TRAITS.split())

_PLAIN = "the hub and the servers speak plain HTTP"
_OWN_PROXY = "the data plane is Carrel's own, and has no such setting"

#: Traits that are read and change nothing in this version, by the class of JupyterHub's that has them.
UNUSED_TRAITS: dict[str, dict[str, str]] = {
    "Spawner": {
        "ssl_alt_names": _PLAIN,
        "ssl_alt_names_include_local": _PLAIN,
    },
    "ConfigurableHTTPProxy": {
        "command_umask": "the data plane's files can be read by the hub's account alone",
        "check_running_interval": "the routes are checked every few seconds",
        "concurrency": "routes are set in one call",
        "debug": "use c.CarrelProxy.log_level = 'debug'",
        "log_level": _OWN_PROXY,
        "pid_file": "the data plane is found by the files in runtime_dir",
    },
}

_NO_SAMPLES = "counts are made when /hub/metrics is read"
_ELSEWHERE = "it belongs in the configuration of {0}, which the hub does not read"
_SERVICE = _ELSEWHERE.format("the service")
_SERVER = _ELSEWHERE.format("the users' servers")

_SERVERS_OWN = (
    *("JupyterHubSingleUser", "SingleUserNotebookApp", "SingleUserLabApp", "ServerApp", "LabApp"),
    *("NotebookApp", "FileContentsManager", "ContentsManager", "MappingKernelManager", "IdentityProvider"),
)

#: Sections that belong to no plug-in: what becomes of each name in them; `*` stands for all others.
#: An empty text means that the hub reads the setting.
OTHER_SECTIONS: dict[str, dict[str, str]] = {
    "CryptKeeper": {"keys": "", "n_threads": "values are encrypted where they are needed, without threads"},
    "PeriodicMetricsCollector": {
        "active_users_enabled": _NO_SAMPLES,
        "active_users_update_interval": _NO_SAMPLES,
        "event_loop_interval_enabled": "",
        "event_loop_interval_log_threshold": "",
        "event_loop_interval_resolution": "",
    },
    "JupyterHubHTTPClient": {
        "session_options": "the hub's own requests need no aiohttp",
        "connector_options": "the hub's own requests need no aiohttp",
    },
    "EventLogger": {
        "handlers": "",
        "allowed_schemas": "there is one kind of events, and all of them are written",
    },
    "EventLog": {"*": "JupyterHub 6 does not read it either: use c.EventLogger.handlers"},
    "Service": {"*": "services are dictionaries in c.JupyterHub.services"},
    "User": {"*": "users have no settings: c.Spawner has"},
    **{section: {"*": _SERVICE} for section in ("HubAuth", "HubOAuth", "HubOAuthenticated")},
    **{section: {"*": _SERVER} for section in _SERVERS_OWN},
}
