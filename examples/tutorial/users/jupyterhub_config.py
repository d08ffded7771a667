"""Who may come in, and who may administrate. `whitelist` is the old name of `allowed_users`; both work."""

c = get_config()

c.Authenticator.whitelist = {"minrk", "takluyver"}
# Administrators need not be named above.
c.Authenticator.admin_users = {"grace"}
