import { startTestService } from '../../http/harness.ts'
import { callerOf, type KeyedService, startKeyedService } from './keyed-service.ts'

const ROUTE = '/iceberg/v1/oauth/tokens'
const CLIENT = { grant_type: 'client_credentials', scope: 'catalog' }

async function post(
  { url }: Pick<KeyedService, 'url'>,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
) {
  const body = new URLSearchParams(form)
  const response = await fetch(url + ROUTE, { method: 'POST', body, headers })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, string>,
  }
}

describe('with keys', () => {
  let nowMs = Date.now()
  let service: KeyedService
  beforeAll(async () => {
    service = await startKeyedService({}, undefined, { nowMs: () => nowMs })
  })
  afterAll(() => service.close())

  async function newClient(days?: number) {
    const created = await service.admin.send('post', '/v1/keys', { expires_in_days: days })
    const { key_id: id, key } = created.body
    return { id, key, form: { ...CLIENT, client_id: id, client_secret: key } }
  }

  test('the id and the key, or its secret, or Basic, give a token for 900 s', async () => {
    const { id, key, form } = await newClient()
    const secret = key.slice(`mor_${id}_`.length)
    const Authorization = `Basic ${Buffer.from(`${id}:${key}`).toString('base64')}`
    for (const given of [
      await post(service, form),
      await post(service, { ...form, client_secret: secret }),
      await post(service, CLIENT, { Authorization }),
    ]) {
      expect([given.status, given.body]).toEqual([
        200,
        expect.objectContaining({ token_type: 'bearer', expires_in: 900 }),
      ])
      expect(given.headers.get('Cache-Control')).toBe('no-store')
      const me = await callerOf(service, given.body['access_token'] ?? '').send('get', '/v1/me')
      expect([me.status, me.body.principal]).toEqual([200, `key:${id}`])
    }
  })

  test('a token ends with its key, and a revoked key gets none', async () => {
    const { id, form } = await newClient(1)
    nowMs += 86_400_000 - 60_000
    const { body } = await post(service, form)
    expect(body['expires_in']).toBeGreaterThan(0)
    expect(body['expires_in']).toBeLessThanOrEqual(60)
    await service.admin.send('delete', `/v1/keys/${id}`)
    const refused = await post(service, form)
    expect([refused.status, refused.body['error']]).toEqual([401, 'invalid_client'])
    const old = await callerOf(service, body['access_token'] ?? '').send('get', '/v1/me')
    expect(old.status).toBe(401)
  })

  test('anything else is refused in the form of OAuth, without the secret', async () => {
    const [one, other] = [await newClient(), await newClient()]
    const { access_token: token = '' } = (await post(service, one.form)).body
    const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
    const Authorization = `Basic ${Buffer.from(`${one.id}:${one.key}`).toString('base64')}`
    for (const [answer, expected] of [
      [post(service, { ...one.form, client_id: other.id }), '401 invalid_client'],
      [post(service, { ...one.form, client_secret: token }), '401 invalid_client'],
      [post(service, { ...one.form, grant_type: exchange }), '400 unsupported_grant_type'],
      [post(service, CLIENT), '400 invalid_request'],
      [post(service, one.form, { Authorization }), '400 invalid_request'],
      [post(service, { ...one.form, more: 'x'.repeat(20_000) }), '400 invalid_request'],
    ] as const) {
      const { status, body } = await answer
      expect(`${status} ${body['error']}`).toBe(expected)
      expect(JSON.stringify(body)).not.toContain(one.key)
    }
  })
})

test('without access control it says so', async () => {
  const service = await startTestService()
  try {
    const { status, body } = await post(service, { ...CLIENT, client_id: 'a', client_secret: 'b' })
    expect([status, body['error']]).toEqual([400, 'invalid_request'])
    expect(body['error_description']).toMatch(/^MORAINE_AUTH=none/)
  } finally {
    await service.close()
  }
})
