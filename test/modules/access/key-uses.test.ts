import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { KeyedAccess } from '../../../src/modules/access/keyed-access.ts'
import { startKeyedService } from './keyed-service.ts'

test('the last use of a key is written while the service runs', async () => {
  const service = await startKeyedService()
  const { deps, admin } = service
  const options = { trustedProxies: [], noteEveryMs: 20 }
  const access = await KeyedAccess.open(deps, options)
  try {
    const request = {
      url: '/v1/me',
      headers: { authorization: `Bearer ${admin.key}` },
      socket: { remoteAddress: '127.0.0.1' },
    }
    await access.authenticator.authenticate(request as IncomingMessage)
    const keyId = admin.principal.slice('key:'.length)
    const lastUse = async () => (await deps.catalog.keys.find(keyId))?.lastUsedAtMs
    while ((await lastUse()) === null) await sleep(10)
    expect(await lastUse()).toBeGreaterThan(0)
  } finally {
    await access.close()
    await service.close()
  }
})
