import type { IncomingMessage } from 'node:http'
import { TrustedProxies } from '../../src/http/serve/trusted-proxies.ts'

const proxies = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32'])

function clientOf(remoteAddress: string | undefined, forwarded?: string | string[]) {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  return proxies.clientOf({ socket: { remoteAddress }, headers } as unknown as IncomingMessage)
}

test.each<[string | undefined, string | string[] | undefined, string | undefined]>([
  // Nobody is believed but a trusted proxy.
  ['203.0.113.9', '198.51.100.1', '203.0.113.9'],
  [undefined, '198.51.100.1', undefined],
  ['10.1.2.3', undefined, '10.1.2.3'],
  ['10.1.2.3', '', '10.1.2.3'],
  ['10.1.2.3', '198.51.100.1', '198.51.100.1'],
  ['::ffff:10.1.2.3', '198.51.100.1', '198.51.100.1'],
  ['2001:db8::1', '198.51.100.1', '198.51.100.1'],
  // What the client wrote itself stands before what the first proxy saw.
  ['10.1.2.3', '127.0.0.1, 198.51.100.1', '198.51.100.1'],
  ['10.1.2.3', 'for=evil, 198.51.100.1, 192.0.2.7', '198.51.100.1'],
  ['10.1.2.3', ['1.1.1.1', '198.51.100.1'], '198.51.100.1'],
  ['10.1.2.3', '10.9.9.9, 192.0.2.7', '10.9.9.9'],
  // With ports, brackets and other spellings.
  ['10.1.2.3', '198.51.100.1:4711', '198.51.100.1'],
  ['10.1.2.3', '[2001:db9::5]:4711, 10.0.0.1', '2001:db9::5'],
  ['10.1.2.3', '2001:db9::5', '2001:db9::5'],
  ['10.1.2.3', '::ffff:198.51.100.1', '198.51.100.1'],
  // What is no address ends the search at the last hop that is known.
  ['10.1.2.3', '198.51.100.1, unknown, 192.0.2.7', '192.0.2.7'],
  ['10.1.2.3', 'fe80::1%eth0', '10.1.2.3'],
  ['10.1.2.3', `${'10.0.0.1,'.repeat(500)}10.0.0.2`, '10.0.0.1'],
])('the client of a request from %p with %p is %p', (remote, forwarded, client) => {
  expect(clientOf(remote, forwarded)).toBe(client)
})

test('without trusted proxies, nothing is believed', () => {
  const nobody = new TrustedProxies([])
  const headers = { 'x-forwarded-for': '198.51.100.1' }
  const request = { socket: { remoteAddress: '127.0.0.1' }, headers }
  expect(nobody.clientOf(request as unknown as IncomingMessage)).toBe('127.0.0.1')
  expect(nobody.has('127.0.0.1')).toBe(false)
})
