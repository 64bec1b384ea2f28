import { KeyAuthenticator } from '../../../src/modules/access/key-authenticator.ts'

const CLIENT = '203.0.113.9'

/** Only whence requests come is looked at. */
function authenticatorBehind(...trustedProxies: readonly string[]): KeyAuthenticator {
  const nothing = { ring: { keys: new Map() }, tokens: undefined, oidc: undefined, ckan: undefined }
  return new KeyAuthenticator({ ...nothing, nowMs: Date.now, trustedProxies } as never)
}

function isTaken(
  authenticator: KeyAuthenticator,
  remoteAddress: string,
  headers: Readonly<Record<string, string>> = {},
): boolean {
  try {
    authenticator.requirePrivate({ headers, socket: { remoteAddress } } as never)
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'credential-over-plain-http' })
    return false
  }
}

test.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])(
  'a trusted proxy at %s says https of what it has from others',
  (proxy) => {
    const behind = authenticatorBehind('127.0.0.1', '::1', '10.0.0.0/8')
    const taken = (headers?: Readonly<Record<string, string>>) => isTaken(behind, proxy, headers)
    const from = { 'x-forwarded-for': CLIENT }
    expect(taken({ ...from, 'x-forwarded-proto': 'https' })).toBe(true)
    expect(taken({ ...from, 'x-forwarded-proto': 'http' })).toBe(false)
    expect(taken(from)).toBe(false)
    // What the client wrote before it does not count.
    expect(taken({ 'x-forwarded-for': `127.0.0.1, ${CLIENT}` })).toBe(false)
    expect(taken({ 'x-forwarded-for': `${CLIENT}, 10.0.0.7` })).toBe(false)
    for (const name of ['forwarded', 'via', 'x-real-ip', 'x-forwarded-host']) {
      expect([name, taken({ [name]: 'x' })]).toEqual([name, false])
    }
    // From this machine itself, with a proxy in between or without.
    expect([taken(), taken({ 'x-forwarded-for': '127.0.0.1' })]).toEqual([true, true])
  },
)

test('nobody else is believed, wherever a proxy is', () => {
  const behind = authenticatorBehind('10.0.0.0/8')
  const https = { 'x-forwarded-for': CLIENT, 'x-forwarded-proto': 'https' }
  expect(isTaken(behind, '10.0.0.7', https)).toBe(true)
  expect(isTaken(behind, '10.0.0.7', { 'x-forwarded-for': CLIENT })).toBe(false)
  expect(isTaken(behind, '10.0.0.7')).toBe(false)
  expect(isTaken(behind, CLIENT, https)).toBe(false)
  expect(isTaken(behind, '127.0.0.1')).toBe(true)
})
