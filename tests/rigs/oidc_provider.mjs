// An OpenID provider for tests, by the certified npm package: node oidc_provider.mjs PACKAGE PORT REDIRECT-URI.
// Anybody may sign in, with any password; the name says which groups they are in.
const [, , path, port, redirectUri] = process.argv;
const { Provider } = await import(path);
const groups = { ada: ['staff', 'hub-admins'], bob: ['staff'], eve: ['visitors'] };
const claims = (id) => ({
  sub: `id-of-${id}`, preferred_username: id, email: `${id}@example.org`, groups: groups[id] ?? [],
});
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'hub',
    client_secret: 'a secret that only the hub and the provider know',
    redirect_uris: [redirectUri],
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'client_secret_post',
  }],
  findAccount: (ctx, id) => ({ accountId: id, claims: () => claims(id) }),
  claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email'], groups: ['groups'] },
  scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
});
// For tests: ends one token as time does, where a revocation ends all that were given together.
provider.use(async (ctx, next) => {
  if (ctx.path !== '/end') return next();
  const { kind, token } = ctx.query;
  await (await provider[kind].find(token)).destroy();
  ctx.status = 204;
});
provider.listen(Number(port), '127.0.0.1');
