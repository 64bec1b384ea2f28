import { SignJWT, UnsecuredJWT } from 'jose'
import { freePort } from '../../free-port.ts'
import { must } from '../../http/client.ts'
import { type IdentityProvider, startIdentityProvider } from './identity-provider.ts'
import { callerOf, type KeyedService, startKeyedService } from './keyed-service.ts'
import { type KubernetesStandIn, startKubernetesStandIn } from './kubernetes-stand-in.ts'

const CLAIMS = { groups: ['pilots'], realm_access: { roles: ['crew'] } }

let first: IdentityProvider
let second: IdentityProvider
let cluster: KubernetesStandIn
let service: KeyedService
let aheadMs = 0
beforeAll(async () => {
  first = await startIdentityProvider({ claims: CLAIMS })
  second = await startIdentityProvider({ path: '/realms/other' })
  cluster = await startKubernetesStandIn()
  const discovery = `${second.issuer}/.well-known/openid-configuration`
  service = await startKeyedService(
    {
      MORAINE_AUTH: 'oidc',
      MORAINE_OIDC_ISSUER: `${first.issuer}/, ${discovery}, ${cluster.issuer}`,
      MORAINE_OIDC_AUDIENCE: 'moraine',
      MORAINE_OIDC_ROLES: 'realm_access.roles',
    },
    undefined,
    { nowMs: () => Date.now() + aheadMs },
  )
})
afterEach(() => {
  aheadMs = 0
})
afterAll(async () => {
  await service.close()
  await Promise.all([first.stop(), second.stop(), cluster.stop()])
})

const me = (token: string) => callerOf(service, token).send('get', '/v1/me')
const nameAt = ({ issuer }: IdentityProvider) => `user:${issuer}~loader`

test('a token signs in, with its groups and roles, and keys still do', async () => {
  const answer = await must(me(await first.token()))
  expect(answer).toEqual({
    auth: 'oidc',
    principal: nameAt(first),
    principals: expect.arrayContaining([nameAt(first), 'group:pilots', 'role:crew', 'everyone']),
    scopes: null,
  })
  expect((await must(service.admin.send('get', '/v1/me'))).principal).toMatch(/^key:/)
})

test('what is granted to a user, a group or a role of the token holds for it', async () => {
  const { admin } = service
  const caller = callerOf(service, await first.token())
  const other = callerOf(service, await second.token())
  for (const principal of [nameAt(first), 'group:pilots', 'role:crew']) {
    await must(admin.send('post', '/v1/roles/crew/members', { add: ['group:nobody'] }))
    const name = `of_${principal.length}`
    await must(admin.send('post', '/v1/namespaces', { name }), 201)
    const path = `/v1/namespaces/${name}`
    expect((await caller.send('get', path)).status).toBe(404)
    const grant = [{ principal, privilege: 'describe' }]
    await must(admin.send('post', `${path}/permissions`, { grant }))
    await must(caller.send('get', path))
    expect((await must(caller.send('get', '/v1/namespaces'))).namespaces).toContainEqual(
      expect.objectContaining({ name }),
    )
    // The same subject of another issuer is somebody else.
    expect((await other.send('get', path)).status).toBe(404)
  }
  expect((await must(me(other.key))).principal).toBe(nameAt(second))
})

test('the token must be for this service, and the answer says so', async () => {
  const refused = await me(await first.token({ audience: 'elsewhere' }))
  expect([refused.status, refused.body?.type]).toEqual([401, '/problems/credential-invalid'])
  expect(refused.body?.detail).toContain('MORAINE_OIDC_AUDIENCE')
})

test('an expired token is 401, and 419 where engines ask; the clock may be 60 s off', async () => {
  const token = await first.token()
  const statuses = async (key: string) => {
    const caller = callerOf(service, key)
    const plain = await caller.send('get', '/v1/me')
    return [plain.status, (await caller.send('get', '/iceberg/v1/namespaces')).status]
  }
  aheadMs = 340_000
  expect(await statuses(token)).toEqual([200, 200])
  aheadMs = 370_000
  expect(await statuses(token)).toEqual([401, 419])
  aheadMs = 0
  const unseen = await first.token({ client: 'reader' })
  aheadMs = 370_000
  expect(await statuses(unseen)).toEqual([401, 419])
})

test('forgeries are refused: no algorithm, a public key as secret, unknown issuers', async () => {
  const seconds = Math.floor(Date.now() / 1_000) + 300
  const payload = { iss: first.issuer, sub: 'loader', aud: 'moraine', exp: seconds }
  const jwks = await (await fetch(`${first.issuer}/jwks`)).json()
  const secret = Buffer.from(JSON.stringify((jwks as { keys: object[] }).keys[0]))
  const signed = (alg: string, of: object) =>
    new SignJWT({ ...payload, ...of }).setProtectedHeader({ alg, kid: 'key-1' }).sign(secret)
  const forged = [
    new UnsecuredJWT(payload).encode(),
    await signed('HS256', {}),
    await signed('HS256', { iss: 'https://elsewhere.example' }),
    await signed('HS256', { iss: 'moraine', aud: 'moraine' }),
    `${(await first.token()).slice(0, -20)}${'A'.repeat(20)}`,
  ]
  for (const token of forged) {
    const refused = await me(token)
    expect([refused.status, refused.body?.type]).toEqual([401, '/problems/credential-invalid'])
  }
})

test('another key of the provider is found, but not sought for every invented one', async () => {
  const before = await second.token()
  await must(me(before))
  await second.rotate()
  const token = await second.token({ client: 'reader' })
  aheadMs = 31_000
  await must(me(token))
  // What was verified is not verified again.
  await must(me(before))
  const asked = second.asked.get('/realms/other/jwks')
  const access = service.deps.access
  const [, body = ''] = token.split('.')
  for (let n = 0; n < 10_000; n++) {
    const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: `forged-${n}` }))
    const authorization = `Bearer ${header.toString('base64url')}.${body}.${'A'.repeat(342)}`
    const request = { url: '/', headers: { authorization }, socket: { remoteAddress: '::1' } }
    await expect(access?.authenticator.authenticate(request as never)).rejects.toMatchObject({
      code: 'credential-invalid',
    })
  }
  expect(second.asked.get('/realms/other/jwks')).toBe(asked)
  expect(access?.authenticator.rememberedCount).toBeLessThan(50)
})

test('a service account of Kubernetes signs in, and is granted what others are', async () => {
  const loader = { namespace: 'lake', name: 'loader' }
  const principal = `user:${cluster.issuer}~system:serviceaccount:lake:loader`
  const caller = callerOf(service, await cluster.token(loader))
  // What Kubernetes says of pod and node is nobody's group or role.
  expect(await must(caller.send('get', '/v1/me'))).toEqual({
    ...{ auth: 'oidc', principal, scopes: null },
    principals: expect.not.arrayContaining([expect.stringMatching(/^(group|role):/)]),
  })
  const { admin } = service
  await must(admin.send('post', '/v1/namespaces', { name: 'pods' }), 201)
  const grant = [{ principal, privilege: 'create' }]
  await must(admin.send('post', '/v1/namespaces/pods/permissions', { grant }))
  const table = { name: 'pods.logs', schema: { columns: [{ name: 'id', type: 'long' }] } }
  await must(caller.send('post', '/v1/tables', table), 201)
  const owned = await must(caller.send('get', '/v1/tables/pods.logs/permissions'))
  expect(owned.permissions).toEqual([{ principal, privilege: 'own' }])
  // The same name in another namespace of the cluster is somebody else.
  const other = callerOf(service, await cluster.token({ ...loader, namespace: 'other' }))
  expect((await other.send('get', '/v1/tables/pods.logs')).status).toBe(404)
  const forCluster = await cluster.token({ ...loader, audiences: [cluster.issuer] })
  const refused = await me(forCluster)
  expect([refused.status, refused.body?.type]).toEqual([401, '/problems/credential-invalid'])
  expect(refused.body?.detail).toContain('MORAINE_OIDC_AUDIENCE')
})

test('engines are told where the provider gives tokens', async () => {
  const config = await must(service.nobody.send('get', '/iceberg/v1/config'))
  expect(config.defaults).toEqual({ 'oauth2-server-uri': `${first.issuer}/token` })
})

test('a provider that is down stops no start, and is found when it comes back', async () => {
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const late = await startKeyedService(
    { MORAINE_AUTH: 'oidc', MORAINE_OIDC_ISSUER: issuer, MORAINE_OIDC_AUDIENCE: 'moraine' },
    undefined,
    { nowMs: () => Date.now() + aheadMs },
  )
  let provider: IdentityProvider | undefined
  try {
    await must(late.admin.send('get', '/v1/me'))
    await must(late.nobody.send('get', '/iceberg/v1/config'))
    provider = await startIdentityProvider({ port })
    const caller = callerOf(late, await provider.token())
    const refused = await caller.send('get', '/v1/me')
    expect([refused.status, refused.body?.type]).toEqual([
      503,
      '/problems/identity-provider-unavailable',
    ])
    expect((await caller.send('get', '/iceberg/v1/namespaces')).status).toBe(429)
    aheadMs = 10_000
    await must(caller.send('get', '/v1/me'))
    const lines = late.log.map(({ msg }) => String(msg)).filter((msg) => msg.includes(issuer))
    expect(lines).toEqual([
      expect.stringContaining('cannot be asked'),
      expect.stringContaining('answers again'),
    ])
    // Once known, its keys are believed while it is away.
    const unseen = await provider.token({ client: 'reader' })
    await provider.stop()
    aheadMs = 200_000
    await must(callerOf(late, unseen).send('get', '/v1/me'))
  } finally {
    await provider?.stop()
    await late.close()
  }
})
