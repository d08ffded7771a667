c = get_config()
c.JupyterHub.authenticator_class = 'ldapauthenticator.LDAPAuthenticator'
c.LDAPAuthenticator.server_address = 'ldap.example.org'
c.LDAPAuthenticator.tls_strategy = 'on_connect'
c.LDAPAuthenticator.bind_dn_template = ['uid={username},ou=people,dc=example,dc=org']
c.LDAPAuthenticator.lookup_dn = False
c.LDAPAuthenticator.allowed_groups = ['cn=researcher,ou=groups,dc=example,dc=org']
c.LDAPAuthenticator.admin_users = {'ada'}
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.bind_url = 'http://127.0.0.1:8000'
#: needs = plug-ins
#: login = page
