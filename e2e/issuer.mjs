// An OpenID provider for the tests: node issuer.mjs FOLDER-OF-OIDC-PROVIDER FOLDER-OF-ITS-OWN.
// Its own folder holds config.json, which POST /test/reload reads again, and the keys that it made.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [library, home] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(join(library, 'node_modules/oidc-provider/lib/index.js')));

let config, provider, serve;
const signedIn = []; // who signed in to which client, for the logouts that the issuer begins

// keys are the issuer's keys of one generation; they outlive a restart.
function keys(generation) {
  const file = join(home, `keys-${generation}.json`);
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = { ...privateKey.export({ format: 'jwk' }), kid: `${generation}-${randomUUID()}`, use: 'sig', alg: 'RS256' };
    writeFileSync(file, JSON.stringify({ keys: [key] }));
  }
  return JSON.parse(readFileSync(file));
}

// Memory is what the issuer remembers as long as its process lives, through every reload.
const remembered = new Map();
class Memory {
  constructor(model) { this.key = (id) => `${model}:${id}`; }

  async upsert(id, payload) {
    remembered.set(this.key(id), payload);
    if (payload.uid) remembered.set(`uid:${payload.uid}`, id);
  }

  async find(id) { return remembered.get(this.key(id)); }

  async findByUid(uid) { return this.find(remembered.get(`uid:${uid}`)); }

  async consume(id) { remembered.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { remembered.delete(this.key(id)); }

  async revokeByGrantId(grant) {
    for (const [key, payload] of remembered) if (payload.grantId === grant) remembered.delete(key);
  }
}

function page(title, body) {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><main><h1>${title}</h1>${body}</main></html>`;
}

// grantAll spares people the page that asks for their consent.
async function grantAll(ctx) {
  const { client, session, params } = ctx.oidc;
  const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope);
  await grant.save();
  return grant;
}

function account(sub) {
  const person = config.people.find((p) => p.sub === sub);
  return person && { accountId: sub, claims: async () => ({ ...person.claims, sub }) };
}

function reload() {
  config = JSON.parse(readFileSync(join(home, 'config.json')));
  provider = new Provider(config.issuer, {
    adapter: Memory,
    clients: config.clients,
    jwks: keys(config.generation),
    findAccount: (_, sub) => account(sub),
    loadExistingGrant: grantAll,
    claims: {
      openid: ['sub', 'acr', 'amr', 'auth_time'],
      profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'],
    },
    scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
    acrValues: config.people.map((p) => p.acr).filter(Boolean),
    conformIdTokenClaims: false,
    // Cookies know no ports: each issuer on this address needs names of its own.
    cookies: {
      keys: ['tests'],
      names: Object.fromEntries(['session', 'interaction', 'resume'].map((name) => [name, `_${name}_${config.port}`])),
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        logoutSource: (ctx, form) => {
          ctx.body = page('Sign out', `${form}<button id="logout" name="logout" value="yes" form="op.logoutForm">Sign out</button>`);
        },
        postLogoutSuccessSource: (ctx) => { ctx.body = page('Signed out', ''); },
      },
    },
    interactions: { url: (_, interaction) => `/test/login/${interaction.uid}` },
    ttl: { Session: 3600, Grant: 3600, AccessToken: 3600, IdToken: config.idTokenSeconds || 3600, Interaction: 600 },
    // The library refuses to call loopback addresses, which is where all tests are.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    renderError: (ctx, out) => { ctx.type = 'html'; ctx.body = page('Error', `<pre>${out.error}: ${out.error_description ?? ''}</pre>`); },
  });
  provider.on('authorization.success', (ctx) => {
    const { session, client } = ctx.oidc;
    signedIn.push({ sub: session.accountId, uid: session.uid, client: client.clientId, sid: session.sidFor(client.clientId) });
  });
  for (const event of ['server_error', 'authorization.error', 'grant.error', 'backchannel.error']) {
    provider.on(event, (_, err) => console.log(event, err));
  }
  serve = provider.callback();
}

async function body(req) {
  let text = '';
  for await (const chunk of req) text += chunk;
  return new URLSearchParams(text);
}

function answer(res, status, text, type = 'text/html; charset=utf-8') {
  res.writeHead(status, { 'Content-Type': type }).end(text);
}

// login is the page that asks for a name and for nothing else; Cancel is a person who changes their mind.
async function login(req, res) {
  const { uid } = await provider.interactionDetails(req, res);
  if (req.method !== 'POST') {
    return answer(res, 200, page('Sign in to the issuer', `<form method="post" action="/test/login/${uid}">
      <label>Name <input name="login" autofocus></label>
      <button id="login">Sign in</button> <button id="cancel" name="cancel" value="yes">Cancel</button></form>`));
  }
  const form = await body(req);
  if (form.get('cancel')) {
    return provider.interactionFinished(req, res, { error: 'access_denied', error_description: 'the person canceled' });
  }
  const person = config.people.find((p) => p.login === form.get('login'));
  if (!person) return answer(res, 403, page('Sign in to the issuer', '<p>Nobody has that name.</p>'));
  const ts = Math.floor(Date.now() / 1000) - (person.secondsAgo ?? 0);
  return provider.interactionFinished(req, res, { login: { accountId: person.sub, amr: person.amr, acr: person.acr, ts } });
}

// logout ends all sessions of a subject and tells the clients so; it answers how many of them agreed.
async function logout(req, res) {
  const sub = (await body(req)).get('sub');
  let told = 0;
  for (const { uid, client: id, sid } of signedIn.filter((s) => s.sub === sub)) {
    const session = await provider.Session.findByUid(uid);
    if (session) await session.destroy();
    const client = await provider.Client.find(id);
    if (!client?.backchannelLogoutUri) continue;
    await client.backchannelLogout(sub, sid).then(() => told++, (err) => console.log('backchannel', err));
  }
  answer(res, 200, String(told), 'text/plain');
}

async function handle(req, res) {
  if (req.url.startsWith('/test/login/')) return login(req, res);
  if (req.method === 'POST' && req.url === '/test/logout') return logout(req, res);
  if (req.method === 'POST' && req.url === '/test/reload') {
    reload();
    return answer(res, 200, 'reloaded', 'text/plain');
  }
  return serve(req, res);
}

reload();
createServer((req, res) => {
  console.log(req.method, req.url);
  handle(req, res).catch((err) => {
    console.log(err);
    answer(res, 500, page('Error', `<pre>${err.message}</pre>`));
  });
}).listen(config.port, '127.0.0.1');
