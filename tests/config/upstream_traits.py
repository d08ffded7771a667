"""Every trait that JupyterHub 6 documents, with a value that a configuration may well have."""

from __future__ import annotations

HUB = """
authenticator_class = 'dummy'
spawner_class = 'simple'
proxy_class = 'configurable-http-proxy'
bind_url = 'http://127.0.0.1:8000/'
ip = '127.0.0.1'
port = 8000
base_url = '/hub-a/'
ssl_key = 'hub.key'
ssl_cert = 'hub.crt'
public_url = 'https://hub.example.org/'
subdomain_host = 'https://hub.example.org'
subdomain_hook = 'idna'
hub_ip = '127.0.0.1'
hub_port = 8081
hub_bind_url = 'http://127.0.0.1:8081'
hub_connect_ip = '127.0.0.1'
hub_connect_url = 'http://127.0.0.1:8081'
hub_connect_port = 8081
hub_routespec = '/hub/'
hub_socket_mode = 0o600
db_url = 'sqlite:///jupyterhub.sqlite'
db_kwargs = {'pool_recycle': 60}
debug_db = True
reset_db = True
upgrade_db = True
cookie_secret = bytes(32)
cookie_secret_file = 'jupyterhub_cookie_secret'
cookie_max_age_days = 7
cookie_host_prefix_enabled = True
oauth_token_expires_in = 3600
oauth_require_pkce = True
token_expires_in_max_seconds = 3600
trust_user_provided_tokens = True
concurrent_spawn_limit = 10
active_server_limit = 10
active_user_window = 600
activity_resolution = 10
last_activity_interval = 100
service_check_interval = 30
init_spawners_timeout = 1
cleanup_servers = False
cleanup_proxy = False
shutdown_on_logout = True
redirect_to_server = False
default_url = '/hub/home'
default_server_name = 'lab'
implicit_spawn_seconds = 2
allow_named_servers = True
named_server_limit_per_user = 3
allow_existing_invalid_named_servers = 'allow-delete'
user_redirect_hook = print
services = [{'name': 'announcement', 'url': 'http://127.0.0.1:8888'}]
load_roles = [{'name': 'reader', 'scopes': ['read:users']}]
load_groups = {'class': {'users': ['ada']}}
extra_user_scopes = {'read:hub'}
custom_scopes = {'custom:grade': {'description': 'Grade'}}
service_tokens = {'0123456789abcdef0123456789abcdef': 'announcement'}
api_tokens = {'0123456789abcdef0123456789abcdeg': 'ada'}
admin_access = True
admin_users = {'ada'}
authenticate_prometheus = False
template_paths = ['templates']
template_vars = {'announcement': 'Closed on Sunday'}
logo_file = 'logo.png'
jinja_environment_options = {'trim_blocks': True}
data_files_path = '/usr/share/jupyterhub'
tornado_settings = {'slow_spawn_timeout': 5}
forwarded_host_header = 'X-Forwarded-Host'
trusted_downstream_ips = ['10.0.0.1']
extra_handlers = [('/x', object)]
extra_log_handlers = [object()]
extra_log_file = 'hub.log'
pid_file = 'hub.pid'
internal_ssl = True
internal_certs_location = 'internal-ssl'
recreate_internal_certs = True
external_ssl_authorities = {'a': {}}
trusted_alt_names = ['DNS:hub.example.org']
generate_certs = True
api_page_default_limit = 20
api_page_max_limit = 100
use_legacy_stopped_server_status_code = True
config_file = 'other.py'
generate_config = True
answer_yes = True
proxy_api_ip = '127.0.0.1'
proxy_api_port = 8001
proxy_auth_token = 'secret'
proxy_check_interval = 5
proxy_cmd = ['configurable-http-proxy']
debug_proxy = True
confirm_no_ssl = True
log_level = 'INFO'
log_datefmt = '%H:%M'
log_format = '%(message)s'
logging_config = {'version': 1}
show_config = True
show_config_json = True
"""

AUTHENTICATOR = """
admin_users = {'ada'}
allow_all = True
allowed_users = {'ada'}
allow_existing_users = True
any_allow_config = True
blocked_users = {'eve'}
username_pattern = '[a-z]+'
username_map = {'a': 'ada'}
auto_login = True
auto_login_oauth2_authorize = True
enable_auth_state = True
auth_refresh_age = 100
auth_refresh_strict = True
refresh_pre_spawn = True
refresh_pre_stop = True
post_auth_hook = print
reconcile_auth_state_hook = print
manage_groups = True
manage_roles = True
reset_managed_roles_on_startup = True
delete_invalid_users = True
request_otp = True
otp_prompt = 'Code:'
"""

SPAWNER = """
cmd = ['jupyterhub-singleuser']
args = ['--debug']
ip = '127.0.0.1'
port = 0
hub_connect_url = 'http://127.0.0.1:8081/hub/api'
start_timeout = 60
http_timeout = 30
poll_interval = 30
poll_jitter = 0.2
environment = {'A': 'b', 'C': str}
env_keep = ['PATH']
notebook_dir = '~/notebooks/{username}'
default_url = '/lab'
disable_user_config = True
debug = True
mem_limit = '2G'
mem_guarantee = '1G'
cpu_limit = 2
cpu_guarantee = 0.5
options_form = '<input name="x">'
options_from_form = dict
apply_user_options = {'x': 'debug'}
group_overrides = {}
pre_spawn_hook = print
post_stop_hook = print
auth_state_hook = print
progress_ready_hook = print
oauth_client_allowed_scopes = ['access:servers!server']
oauth_roles = ['user']
server_token_scopes = ['users:activity!user']
consecutive_failure_limit = 5
ssl_alt_names = ['DNS:x']
ssl_alt_names_include_local = False
"""

_TRIAL = ("dummy", "simple", "carrel")
_SYSTEM = ("pam", "localprocess", "carrel")

#: Section to its traits; each with the short names of authenticator, spawner and proxy that have it.
SECTIONS: dict[str, tuple[str, tuple[str, str, str]]] = {
    "Authenticator": (AUTHENTICATOR, _TRIAL),
    "DummyAuthenticator": ("password = 'x'\n" + AUTHENTICATOR, _TRIAL),
    "SharedPasswordAuthenticator": (
        "user_password = 'eight or more'\nadmin_password = 'thirty-two or more characters of it'\n"
        "password_groups = {'the password of staff': ['staff']}",
        ("shared-password", "simple", "carrel"),
    ),
    "LocalAuthenticator": (
        "add_user_cmd = ['adduser']\ncreate_system_users = True\nallowed_groups = {'staff'}\n"
        "uids = {'ada': 1200}",
        _SYSTEM,
    ),
    "PAMAuthenticator": (
        "service = 'login'\nopen_sessions = False\ncheck_account = False\nencoding = 'utf8'\n"
        "executor_threads = 2\nadmin_groups = {'wheel'}\npam_normalize_username = True",
        _SYSTEM,
    ),
    "NullAuthenticator": (AUTHENTICATOR, ("null", "localprocess", "carrel")),
    "Spawner": (SPAWNER, _TRIAL),
    "LocalProcessSpawner": (
        "interrupt_timeout = 1\nterm_timeout = 1\nkill_timeout = 1\npopen_kwargs = {}\n"
        "shell_cmd = ['bash', '-l', '-c']",
        _SYSTEM,
    ),
    "SimpleLocalProcessSpawner": ("home_dir_template = '/tmp/{username}'", _TRIAL),
    "Proxy": ("should_start = False\nextra_routes = {'/x/': 'http://127.0.0.1:9'}", _TRIAL),
    "ConfigurableHTTPProxy": (
        "api_url = 'http://127.0.0.1:8001'\nauth_token = 'x'\ncommand = ['configurable-http-proxy']\n"
        "command_umask = 0o077\ncheck_running_interval = 2\nconcurrency = 5\ndebug = True\n"
        "log_level = 'debug'\npid_file = 'proxy.pid'\nshould_start = False",
        ("dummy", "simple", "configurable-http-proxy"),
    ),
    "CryptKeeper": ("keys = [bytes(32)]\nn_threads = 2", _TRIAL),
    "PeriodicMetricsCollector": (
        "active_users_enabled = False\nactive_users_update_interval = 60\n"
        "event_loop_interval_enabled = False\nevent_loop_interval_log_threshold = 1\n"
        "event_loop_interval_resolution = 0.1",
        _TRIAL,
    ),
    "JupyterHubHTTPClient": ("session_options = {}\nconnector_options = {'limit': 5}", _TRIAL),
    "EventLogger": ("handlers = []\nallowed_schemas = {'x': {}}", _TRIAL),
    "HubAuth": (
        "hub_host = ''\nbase_url = '/'\napi_url = ''\napi_token = ''\nhub_prefix = '/hub/'\nlogin_url = ''\n"
        "keyfile = ''\ncertfile = ''\nclient_ca = ''\nallow_token_in_url = True\n"
        "allow_websocket_cookie_auth = False\ncookie_options = {}\ncookie_host_prefix_enabled = True\n"
        "cache_max_age = 10\naccess_scopes = {'custom:x'}",
        _TRIAL,
    ),
    "HubOAuth": (
        "oauth_client_id = 'x'\noauth_redirect_uri = ''\noauth_authorization_url = ''\noauth_token_url = ''\n"
        "oauth_state_max_age = 5\npkce_enabled = False",
        _TRIAL,
    ),
    "JupyterHubSingleUser": (
        "hub_activity_url = ''\nhub_activity_interval = 60",
        _TRIAL,
    ),
}  # fmt: skip


def traits(text: str) -> list[tuple[str, str]]:
    """Return the names of a block with their values as written."""
    return [(name, value) for name, _, value in (line.partition(" = ") for line in text.split("\n") if line)]
