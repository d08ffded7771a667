c.DummyAuthenticator.password = 'from a part'
c.Authenticator.allowed_users.add('ada')
c.Authenticator.allowed_users.add('bob')
