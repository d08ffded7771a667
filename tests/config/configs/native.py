import nativeauthenticator
import os

c = get_config()
c.JupyterHub.authenticator_class = 'native'
c.JupyterHub.template_paths = [f"{os.path.dirname(nativeauthenticator.__file__)}/templates/"]
c.NativeAuthenticator.open_signup = True
c.NativeAuthenticator.minimum_password_length = 8
c.NativeAuthenticator.check_common_password = True
c.NativeAuthenticator.allowed_failed_logins = 3
c.NativeAuthenticator.seconds_before_next_try = 600
c.Authenticator.admin_users = {'admin'}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
#: needs = plug-ins handlers orm
#: check = unsafe NativeAuthenticator.open_signup
#: login = page
