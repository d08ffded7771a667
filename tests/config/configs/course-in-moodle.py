c.JupyterHub.authenticator_class = 'ltiauthenticator.lti11.auth.LTI11Authenticator'
c.LTI11Authenticator.consumers = {'a key': 'not a secret'}
c.LTI11Authenticator.username_key = 'lis_person_contact_email_primary'
c.Authenticator.allow_all = True
c.JupyterHub.tornado_settings = {
    'headers': {'Content-Security-Policy': 'frame-ancestors https://moodle.example.org'},
    'cookie_options': {'SameSite': 'None', 'Secure': True},
}
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.public_url = 'https://hub.example.org'
#: needs = plug-ins handlers
#: check = unsafe JupyterHub.spawner_class
#: login = none
