import { must } from '../../http/client.ts'
import { startIdentityProvider } from './identity-provider.ts'
import { callerOf, startKeyedService } from './keyed-service.ts'

const MINUTE_MS = 60_000

test('a token is verified again every five minutes, by keys that are as old at most', async () => {
  let aheadMs = 0
  const provider = await startIdentityProvider({ lifetimeSeconds: 3_600 })
  const service = await startKeyedService(
    {
      MORAINE_AUTH: 'oidc',
      MORAINE_OIDC_ISSUER: provider.issuer,
      MORAINE_OIDC_AUDIENCE: 'moraine',
    },
    undefined,
    { nowMs: () => Date.now() + aheadMs },
  )
  try {
    const caller = callerOf(service, await provider.token())
    const lookUps = () => provider.asked.get('/jwks') ?? 0
    await must(caller.send('get', '/v1/me'))
    // The key that signed it is withdrawn.
    await provider.rotate()
    const before = lookUps()
    aheadMs = 4 * MINUTE_MS
    await must(caller.send('get', '/v1/me'))
    expect(lookUps()).toBe(before)
    aheadMs = 6 * MINUTE_MS
    const refused = await caller.send('get', '/v1/me')
    expect(lookUps()).toBe(before + 1)
    expect([refused.status, refused.body.type]).toEqual([401, '/problems/credential-invalid'])
  } finally {
    await service.close()
    await provider.stop()
  }
})
