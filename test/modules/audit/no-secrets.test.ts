import { mkdtemp, readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuditSealer } from '../../../src/modules/audit/audit-sealer.ts'
import { startPostgres, whyNoPostgres } from '../../catalog/postgres-server.ts'
import { freePort } from '../../free-port.ts'
import { send } from '../../http/send.ts'
import { startCkanStandIn } from '../access/ckan-stand-in.ts'
import { startIdentityProvider } from '../access/identity-provider.ts'
import { callerOf, type KeyedService, startKeyedService } from '../access/keyed-service.ts'
import { writeTask } from '../exports/export-harness.ts'
import { untilAudited } from './until-audited.ts'

/** What URLs, base64 and JSON each write in another way. */
const PASSWORD = 'p@ss/w+rd"é of-postgres%zz'
const CATALOG_PASSWORD = 'catalog:p@ss#w?rd-of-1'
const S3_SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYKNOWNSECRET'
const CKAN_TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWFkYQ'
const RESOURCE = '6f1b0e9a-3c55-4bd1-9a01-0c1c53a5f101'
const SCHEMA = { columns: [{ name: 'n', type: 'long' }] }
/** These have secrets by what they are: beside the catalog and the warehouse. */
const GIVEN = ['s3-credentials', 'audit-key.pem']

/** A secret as it is, and as it is within URLs, JSON and base64, wherever it begins there. */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret)
  const within = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    // The first and the last letters also have bits of what is around it.
    return text.slice(before === 0 ? 0 : before + 1, 4 * Math.floor((before + bytes.length) / 3))
  })
  const inUrl = encodeURIComponent(secret)
  const forms = [
    ...[secret, inUrl, inUrl.toLowerCase(), encodeURI(secret), JSON.stringify(secret).slice(1, -1)],
    ...[new URLSearchParams({ x: secret }).toString().slice(2), bytes.toString('hex')],
    ...within.flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')]),
  ]
  return [...new Set(forms)]
}

/** Where any form of a secret is found. */
function found(places: ReadonlyMap<string, Buffer>, secrets: Readonly<Record<string, string>>) {
  return [...places].flatMap(([place, bytes]) =>
    Object.entries(secrets).flatMap(([name, secret]) =>
      formsOf(secret)
        .filter((form) => bytes.includes(form))
        .map((form) => `${name} in ${place}: ${form}`),
    ),
  )
}

async function filesOf(home: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (const name of await readdir(home, { recursive: true })) {
    const isFile = (await stat(join(home, name)).catch(() => undefined))?.isFile() === true
    if (isFile && !GIVEN.includes(name)) files.set(name, await readFile(join(home, name)))
  }
  return files
}

test('the forms of a secret are found within a header, an address and a JSON text', () => {
  for (const before of ['', 'a', 'ab', 'abc:']) {
    const text = Buffer.from(`${before}${PASSWORD}:more`).toString('base64')
    const url = new URL('postgres://host/x')
    url.password = PASSWORD
    const places = { text, json: JSON.stringify({ PASSWORD }), url: `?x=${encodeURI(PASSWORD)}` }
    for (const [name, place] of Object.entries(places)) {
      const lines = found(new Map([[name, Buffer.from(place)]]), { PASSWORD })
      expect([name, lines.length]).not.toEqual([name, 0])
    }
  }
})

/** Seals, and stops it; `texts` gets all that the service has said of itself, and its log. */
async function endRun(
  run: string,
  service: KeyedService,
  texts: Map<string, Buffer>,
): Promise<void> {
  const { deps, log } = service
  await untilAudited({ deps })
  await new AuditSealer(deps).run(new AbortController().signal)
  const paths = [
    ...['/v1/audit-logs?page_size=1000', '/v1/usage', '/v1/events', '/metrics', '/v1/keys'],
    ...['/v1/permissions', '/v1/roles', '/v1/jobs', '/v1/exports', '/v1/exports/agency'],
    ...['/v1/exports/agency/runs', '/v1/tables/sky.flights', '/iceberg/v1/config', '/health'],
    ...['/v1/tables/sky.flights/audit-logs', '/iceberg/v1/namespaces/sky/tables/flights'],
  ]
  for (const path of paths) {
    const { status, text } = await service.admin.send('get', path)
    texts.set(`${run} ${status} ${path}`, Buffer.from(text))
  }
  texts.set(`${run} log`, Buffer.from(log.map((line) => JSON.stringify(line)).join('\n')))
  await service.stop()
}

const withPostgres = whyNoPostgres() === undefined ? test : test.skip
withPostgres(
  'no secret of a run is in a log, reply, metric, row, seal, event or file',
  async () => {
    const home = await realpath(await mkdtemp(join(tmpdir(), 'moraine-secrets-')))
    const port = await freePort()
    const provider = await startIdentityProvider({})
    const ckan = await startCkanStandIn()
    const credentials = join(home, 's3-credentials')
    const profile = `aws_access_key_id = AKIDKNOWN\naws_secret_access_key = ${S3_SECRET}\n`
    await writeFile(credentials, `[default]\n${profile}`)
    await writeTask(join(home, 'exports'), 'agency', {
      'task.json': { source: 'crm', table: 'public.agency', where: 'true' },
    })
    // It takes any password, and has no such table.
    const postgres = await startPostgres()
    const source = new URL(await postgres.newDatabase())
    source.password = encodeURIComponent(PASSWORD)
    const settings = {
      ...{ MORAINE_EXPORT_SOURCES: `crm=${source.href}`, MORAINE_S3_REGION: 'eu-central-1' },
      ...{ MORAINE_S3_ENDPOINT: `http://127.0.0.1:${port}`, MORAINE_S3_CREDENTIALS: credentials },
      MORAINE_ALLOWED_LOCATIONS: 's3://lake/data',
    }
    const texts = new Map<string, Buffer>()
    const secrets: Record<string, string> = { PASSWORD, S3_SECRET, CKAN_TOKEN }
    const noteReply = (name: string, { text }: { readonly text: string }) =>
      texts.set(name, Buffer.from(text))

    const oidc = { MORAINE_AUTH: 'oidc', MORAINE_OIDC_ISSUER: provider.issuer }
    let service = await startKeyedService(
      { ...settings, ...oidc, MORAINE_OIDC_AUDIENCE: 'moraine' },
      home,
    )
    try {
      const { admin, url } = service
      secrets['admin key'] = admin.key
      const made = await send(`${url}/v1/keys`, {
        ...{ method: 'POST', body: '{"description":"known"}' },
        headers: {
          ...{ Authorization: `Bearer ${admin.key}`, 'Content-Type': 'application/json' },
          'Idempotency-Key': 'once',
        },
      })
      expect(made.status).toBe(201)
      const { key, key_id: id } = JSON.parse(made.text)
      secrets['key'] = key
      secrets['secret of the key'] = key.slice(`mor_${id}_`.length)
      const form = { grant_type: 'client_credentials', client_id: id, client_secret: key }
      const body = new URLSearchParams(form).toString()
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
      const tokens = `${url}/iceberg/v1/oauth/tokens`
      const given = await send(tokens, { method: 'POST', body, headers })
      expect(given.status).toBe(200)
      const { access_token: token } = JSON.parse(given.text)
      secrets['token'] = token
      secrets['token of the provider'] = await provider.token()
      for (const [name, text] of Object.entries(secrets)) {
        if (!name.startsWith('token')) continue
        secrets[`signature of ${name}`] = text.split('.').at(-1) ?? ''
        const caller = callerOf(service, text)
        noteReply(`me by ${name}`, await caller.send('get', '/v1/me'))
        noteReply(`none by ${name}`, await caller.send('get', '/v1/tables/sky.flights'))
      }
      const wrong = await send(tokens, { method: 'POST', body: `${body}x`, headers })
      noteReply('wrong secret', wrong)
      const basic = Buffer.from(`${id}:${key}`).toString('base64')
      for (const Authorization of [`Basic ${basic}`, `Bearer ${token}x`, key, `Bearer ${key}x`]) {
        noteReply(
          `by ${Authorization.length}`,
          await send(`${url}/v1/me`, { headers: { Authorization } }),
        )
      }
      for (const path of [
        'v1/tables?page_token=',
        'v1/me?access_token=',
        'v1/tables/',
        'v1/views/',
      ]) {
        for (const text of [key, encodeURIComponent(key), key.replaceAll('_', '%5F'), token]) {
          const authorized = { headers: { Authorization: `Bearer ${admin.key}` } }
          const reply = await send(`${url}/${path}${text}`, authorized)
          noteReply(`${path} ${text.length}`, reply)
        }
      }
      const table = { name: 'flights', namespace: 'sky', schema: SCHEMA }
      expect((await admin.send('post', '/v1/tables', table)).status).toBe(201)
      const file = { files: [{ path: 's3://lake/data/a.parquet' }] }
      noteReply('s3', await admin.send('post', '/v1/tables/sky.flights/files', file))
      const run = await admin.send('post', '/exports/agency', {})
      expect(run.status).toBeGreaterThan(400)
      noteReply('export', run)
      const updates = [
        { action: 'set-properties', updates: { 'moraine.ckan-resource-id': RESOURCE } },
      ]
      const rest = '/iceberg/v1/namespaces/sky/tables/flights'
      expect((await admin.send('post', rest, { requirements: [], updates })).status).toBe(200)
      await endRun('first', service, texts)

      service = await startKeyedService(
        { ...settings, MORAINE_AUTH: 'ckan', MORAINE_CKAN_URL: ckan.address },
        home,
      )
      secrets['second admin key'] = service.admin.key
      ckan.readers.set(RESOURCE, [CKAN_TOKEN])
      for (const name of ['Authorization', 'X-CKAN-API-Key']) {
        const asked = { headers: { [name]: CKAN_TOKEN } }
        const dump = `${service.url}/datastore/dump/`
        for (const rid of [RESOURCE, 'sky.flights', 'none']) {
          noteReply(`${name} ${rid}`, await send(`${dump}${rid}?format=csv`, asked))
        }
        const other = { headers: { [name]: `${CKAN_TOKEN}x` } }
        noteReply(`${name} refused`, await send(`${dump}${RESOURCE}`, other))
      }
      await ckan.stop()
      const away = { headers: { Authorization: `${CKAN_TOKEN}y` } }
      const failed = await send(`${service.url}/datastore/dump/${RESOURCE}`, away)
      expect(failed.status).toBe(503)
      noteReply('CKAN away', failed)
      await endRun('second', service, texts)
      const files = await filesOf(home)
      expect([...files.keys()]).toEqual(
        expect.arrayContaining(['catalog.db', 'warehouse/.moraine-audit/2.json']),
      )
      const pem = await readFile(join(home, 'audit-key.pem'), 'utf8')
      secrets['audit key'] = pem.split('\n')[1] ?? ''
      expect(texts.size).toBeGreaterThan(45)
      expect(found(new Map([...texts, ...files]), secrets)).toEqual([])
    } finally {
      await service.close()
      await provider.stop()
      await postgres.stop()
    }
  },
)

test('the password of the catalog is in no message of a start that fails', async () => {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'moraine-secrets-')))
  const port = await freePort()
  for (const password of [encodeURIComponent(CATALOG_PASSWORD), CATALOG_PASSWORD]) {
    const MORAINE_CATALOG = `postgres://ada:${password}@127.0.0.1:${port}/lake`
    const error = await startKeyedService({ MORAINE_CATALOG }, home).then(
      () => new Error('it started'),
      (thrown: Error) => thrown,
    )
    const told = Buffer.from(`${error.message}\n${error.stack}`)
    expect(error.message).toContain('MORAINE_CATALOG')
    expect(found(new Map([['message', told]]), { CATALOG_PASSWORD })).toEqual([])
  }
})
