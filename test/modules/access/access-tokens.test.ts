import { base64url, SignJWT, UnsecuredJWT } from 'jose'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { AccessTokens } from '../../../src/modules/access/access-tokens.ts'

const NOON_MS = Date.parse('2026-11-29T12:00:00Z')
const MIDNIGHT_MS = Date.parse('2026-11-30T00:00:00Z')
const MINUTE_MS = 60_000

type Catalog = Awaited<ReturnType<typeof openSqliteCatalog>>

let catalog: Catalog
let nowMs: number

beforeEach(async () => {
  catalog = await openSqliteCatalog({ path: ':memory:' })
  await catalog.migrate()
  nowMs = NOON_MS
})
afterEach(() => catalog.close())

/** One of several processes on the same catalog, whose clock is ahead by so much. */
function replica(aheadMs = 0): AccessTokens {
  const ambient = {
    nowMs: () => nowMs + aheadMs,
    newUuid: () => crypto.randomUUID(),
    sleep: async () => undefined,
    random: () => 0,
  }
  return new AccessTokens({ catalog, ambient })
}

/** A token like those of the service, unless it says otherwise. */
async function forge(
  claims: Readonly<Record<string, unknown>>,
  { secret, kid = '2026-11-29' }: { readonly secret?: string; readonly kid?: string } = {},
): Promise<string> {
  const kept = secret ?? (await catalog.keys.findSigningKey('2026-11-29'))?.secret ?? ''
  const seconds = nowMs / 1_000
  const usual = { iss: 'moraine', aud: 'moraine', sub: 'k1', iat: seconds, exp: seconds + 900 }
  return new SignJWT({ ...usual, ...claims })
    .setProtectedHeader({ alg: 'HS256', kid })
    .sign(base64url.decode(kept))
}

test('another replica takes a token for 15 minutes, and then calls it expired', async () => {
  const { token, expiresInSeconds } = await replica().issue('k1')
  expect(expiresInSeconds).toBe(900)
  const other = replica()
  nowMs += 15 * MINUTE_MS - 1_000
  expect(await other.verify(token)).toEqual({ keyId: 'k1', expiresAtMs: NOON_MS + 900_000 })
  nowMs += 1_000
  expect(await other.verify(token)).toBe('expired')
})

test('a token from before midnight holds on beside those of the new day', async () => {
  nowMs = MIDNIGHT_MS - MINUTE_MS
  const { token: old } = await replica().issue('k1')
  nowMs = MIDNIGHT_MS + MINUTE_MS
  const { token: young } = await replica().issue('k1')
  const [first, second] = [old, young].map((token) => token.split('.')[0])
  expect(first).not.toBe(second)
  for (const token of [old, young]) {
    expect(await replica().verify(token)).toMatchObject({ keyId: 'k1' })
  }
  nowMs = MIDNIGHT_MS + 14 * MINUTE_MS
  expect(await replica().verify(old)).toBe('expired')
})

test('a token of a replica whose clock is a minute ahead is taken, over midnight too', async () => {
  for (const startMs of [NOON_MS, MIDNIGHT_MS - 1_000]) {
    nowMs = startMs
    const { token } = await replica(MINUTE_MS).issue('k1')
    expect(await replica().verify(token)).toMatchObject({ keyId: 'k1' })
  }
})

test('a token of a clock that was further ahead is taken by nobody else', async () => {
  const { token } = await replica(10 * MINUTE_MS).issue('k1')
  expect(await replica(10 * MINUTE_MS).verify(token)).toMatchObject({ keyId: 'k1' })
  expect(await replica().verify(token)).toBe('expired')
})

test('the key of a day signs nothing two days later, in a process that still has it', async () => {
  const same = replica()
  await same.issue('k1')
  nowMs += 24 * 60 * MINUTE_MS
  expect(await same.verify(await forge({}))).toMatchObject({ keyId: 'k1' })
  nowMs += 24 * 60 * MINUTE_MS
  expect(await same.verify(await forge({}))).toBe('invalid')
})

test('forged tokens are invalid', async () => {
  await replica().issue('k1')
  expect(await replica().verify(await forge({}))).toMatchObject({ keyId: 'k1' })
  const seconds = nowMs / 1_000
  const unsigned = new UnsecuredJWT({ iss: 'moraine', aud: 'moraine', sub: 'k1' })
    .setExpirationTime(seconds + 900)
    .encode()
  const header = Buffer.from('{"alg":"none","kid":"2026-11-29"}').toString('base64url')
  const secret = base64url.encode(new Uint8Array(32).fill(7))
  const forged = {
    'alg none': unsigned,
    'alg none with a signing key': `${header}.${unsigned.split('.')[1]}.`,
    'another signing key': await forge({}, { secret }),
    'another audience': await forge({ aud: 'other' }),
    'another issuer': await forge({ iss: 'other' }),
    'no beginning': await forge({ iat: undefined }),
    'no end': await forge({ exp: undefined }),
    'no key': await forge({ sub: undefined }),
    'a signing key of last week': await forge({}, { kid: '2026-11-22' }),
    'no token': 'abc',
  }
  for (const [name, token] of Object.entries(forged)) {
    expect([name, await replica().verify(token)]).toEqual([name, 'invalid'])
  }
  expect(await catalog.keys.findSigningKey('2026-11-22')).toBeUndefined()
})
