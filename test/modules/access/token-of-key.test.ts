import { callerOf, startKeyedService } from './keyed-service.ts'

test('a token may do what its key may, expires, and ends with its key', async () => {
  let aheadMs = 0
  const service = await startKeyedService({}, undefined, { nowMs: () => Date.now() + aheadMs })
  try {
    const { deps, admin } = service
    const key = await service.newCaller()
    const keyId = key.principal.slice('key:'.length)
    const newToken = async () => {
      const issued = await deps.access?.tokens.issue(keyId)
      return callerOf(service, issued?.token ?? '')
    }
    const first = await newToken()
    const me = await first.send('get', '/v1/me')
    expect([me.status, me.body]).toEqual([200, (await key.send('get', '/v1/me')).body])
    expect((await first.send('get', '/v1/keys')).status).toBe(403)

    aheadMs = 901_000
    const answers = [await first.send('get', '/iceberg/v1/namespaces')]
    const second = await newToken()
    answers.push(await second.send('get', '/iceberg/v1/namespaces'))
    expect((await admin.send('delete', `/v1/keys/${keyId}`)).status).toBe(200)
    answers.push(await second.send('get', '/iceberg/v1/namespaces'))
    expect(answers.map(({ status }) => status)).toEqual([419, 200, 401])
  } finally {
    await service.close()
  }
})
