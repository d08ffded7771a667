"""One suite per protocol: what every Store, Spawner, Authenticator and Proxy must do."""
