// node-oidc-provider as somebody would run it: PostgreSQL, two factors, two pages. Who is measured beside it is in ../.
// Everything comes as one line of JSON on standard input; what to ask goes out as one. Each line more is answered with
// the number of statements so far. It ends with its input.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';
import { Database, adapterFor } from './adapter.mjs';
import { interactions } from './pages.mjs';
import { Hashing, People } from './people.mjs';

console.info = console.error; // standard output is for the answers
const HOUR = 3600;
const DAY = 24 * HOUR;
const input = createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();
const order = JSON.parse((await lines.next()).value);

const db = new Database(order.database);
const hashing = new Hashing();
const people = new People(db, hashing);
const server = createServer({ keepAliveTimeout: 600_000 });
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const { port } = server.address();

const provider = new Provider(`http://localhost:${port}`, {
  adapter: adapterFor(db),
  jwks: order.jwks,
  cookies: { keys: [order.cookieKey] },
  clients: [{
    client_id: order.client.id,
    client_secret: order.client.secret,
    client_name: 'Bench',
    redirect_uris: [order.client.redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    id_token_signed_response_alg: 'ES256',
  }],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  claims: { openid: ['sub', 'acr', 'amr', 'auth_time'], profile: ['name'], email: ['email'] },
  scopes: ['openid', 'offline_access'],
  routes: { authorization: '/authorize', token: '/token', userinfo: '/userinfo', introspection: '/introspect' },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: (_, client, token) => token.clientId === client.clientId },
    revocation: { enabled: true },
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: {
    AccessToken: HOUR,
    AuthorizationCode: 60,
    Grant: 90 * DAY,
    IdToken: HOUR,
    Interaction: 10 * 60,
    RefreshToken: 30 * DAY,
    Session: 14 * DAY,
  },
  async findAccount(_, id) {
    const person = await people.find(id);
    return person && { accountId: id, claims: () => ({ sub: id, name: person.name, email: person.email }) };
  },
  // The client is the operator's own: nobody is asked for consent, and the grant is kept with the session.
  async loadExistingGrant({ oidc }) {
    const known = oidc.session.grantIdFor(oidc.client.clientId);
    const kept = known && await oidc.provider.Grant.find(known);
    if (kept) return kept;
    const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
  renderError(ctx, out) {
    ctx.type = 'json';
    ctx.body = out;
  },
});
provider.on('server_error', (_, error) => { process.stderr.write(`${error.stack}\n`); });

const protocol = provider.callback();
const interact = interactions(provider, people);
server.on('request', (req, res) => {
  if (!req.url.startsWith('/interaction/')) return protocol(req, res);
  return interact(req, res).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    if (!res.headersSent) res.writeHead(500);
    res.end();
  });
});

const sweeping = setInterval(() => db.sweep().catch((error) => process.stderr.write(`${error}\n`)), 10_000);
process.stdout.write(`${JSON.stringify({ port, hashing: await hashing.start(), node: process.version })}\n`);
for await (const _ of lines) process.stdout.write(`${db.statements}\n`);
clearInterval(sweeping);
process.exit(0);
