import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Answer, ask, must } from '../../http/client.ts'
import { querySql } from '../../parquet-files.ts'
import type { Caller, KeyedService } from './keyed-service.ts'
import {
  filters,
  MODEL,
  openRestrictedLab,
  POLICY,
  ROWS,
  type Row,
  TABLE,
} from './restricted-lab.ts'

let service: KeyedService
let staff: Caller
let reader: Caller
let other: Caller

beforeAll(async () => {
  const lab = await openRestrictedLab()
  service = lab.service
  staff = lab.staff
  reader = lab.reader
  other = lab.other
})
afterAll(() => service.close())

function restrict(policy: object) {
  return must(service.admin.send('put', POLICY, policy))
}

function dump(caller: Caller, query = 'format=ndjson', headers: Record<string, string> = {}) {
  const sent = { Authorization: `Bearer ${caller.key}`, ...headers }
  return ask(service, `${TABLE}/dump?${query}`, { headers: sent })
}

async function download(form: string): Promise<Buffer> {
  const headers = { Authorization: `Bearer ${reader.key}` }
  const response = await fetch(`${service.url}${TABLE}/dump?format=${form}`, { headers })
  expect([form, response.status]).toEqual([form, 200])
  return Buffer.from(await response.arrayBuffer())
}

function rowsOf({ status, text }: Answer): readonly Record<string, unknown>[] {
  if (status !== 200) throw new Error(`${status} ${text}`)
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
}

test('a dump has exactly the rows for which the filter of the policy is true', async () => {
  await fc.assert(
    fc.asyncProperty(filters, async ([text, test]) => {
      await restrict({ row_filter: text })
      const ids = rowsOf(await dump(reader)).map(({ id }) => id)
      expect(ids).toEqual(MODEL.filter((row) => test(row) === true).map(({ id }) => id))
    }),
    { numRuns: 25, seed: 7 },
  )
})

const sha = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest()

test('columns are shown as their actions say, and only fixed values hide nulls', async () => {
  const columns = [
    { column: 'id', action: 'sha-256-global' },
    { column: 'region', action: 'mask-to-fixed-value' },
    { column: 'price', action: 'mask-to-fixed-value' },
    { column: 'place', action: 'mask-to-fixed-value' },
    { column: 'hops', action: 'mask-to-fixed-value' },
    { column: 'tail', action: 'show-last-4' },
    { column: 'day', action: 'truncate-to-month' },
    { column: 'seen', action: 'truncate-to-year' },
    { column: 'late', action: 'replace-with-null' },
  ]
  const filter = "id < 50 AND tail LIKE 'Ab-%' AND late > 0"
  expect(await restrict({ row_filter: filter, columns })).toMatchObject({ columns })
  const shown = MODEL.filter(({ id, late }) => id < 50 && late > 0)
  const rows = rowsOf(await dump(reader))
  const hashes = shown.map(({ id }) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(id))
    return String(sha(bytes).readBigInt64LE())
  })
  expect(rows.length).toBe(shown.length)
  // JSON.parse would round them.
  const text = (await dump(reader)).text.split('\n')
  for (const [i, hash] of hashes.entries()) expect(text[i]).toContain(`"id":${hash},`)
  for (const [i, row] of rows.entries()) {
    const { id } = shown[i] as Row
    const seen = new Date(Date.UTC(1969, 11, 30, 23 + id, 59, 59)).getUTCFullYear()
    const month = new Date(Date.UTC(2023, 10, 20 + id)).toISOString().slice(0, 7)
    expect({ ...row, id: 0 }).toEqual({
      ...{ id: 0, region: 'XXXXXXXX', price: 0, place: { city: 'XXXXXXXX', zip: 0 }, hops: [] },
      ...{ tail: 'xx-nnnnnnnxé😀.x'.replace('xé😀', 'é😀'), late: null },
      ...{ day: `${month}-01`, seen: `${seen}-01-01T00:00:00.000000+00:00` },
    })
  }
  for (const [action, told] of [
    ['mask-alphanum', 'xx-nnnnnnnxx.x'],
    ['show-first-4', 'Ab-4nnnnnnxx.x'],
    ['sha-256-global', sha('Ab-4000003é😀.x').toString('hex')],
  ]) {
    await restrict({ row_filter: 'id = 3', columns: [{ column: 'tail', action }] })
    expect(rowsOf(await dump(reader)).map(({ tail }) => tail)).toEqual([told])
  }
})

test('all formats have what is left, and no file holds what is withheld', async () => {
  await restrict({ row_filter: 'id < 2', columns: [{ column: 'tail', action: 'mask-alphanum' }] })
  for (const form of ['csv', 'tsv', 'json', 'xml', 'ndjson']) {
    const text = (await download(form)).toString()
    expect([form, text.includes('xx-nnnnnnnxx.x'), /4000|c2/.test(text)]).toEqual([
      ...[form, true, false],
    ])
  }
  for (const form of ['parquet', 'arrow', 'csv&compression=gzip', 'csv&compression=zstd']) {
    const bytes = await download(form)
    expect([form, bytes.includes('Ab-4000')]).toEqual([form, false])
    // Arrow is not compressed.
    if (form === 'arrow') continue
    const [format, , compression] = form.split(/[&=]/)
    const path = join(service.dataFolder, `shown.${compression ?? format}`)
    writeFileSync(path, bytes)
    const more = compression === undefined ? '' : `, compression = '${compression}'`
    const found = await querySql(`SELECT id, tail FROM read_${format}('${path}'${more})`)
    expect(found.map((row) => Object.values(row).map(String))).toEqual([
      ...[0, 1].map((id) => [String(id), 'xx-nnnnnnnxx.x']),
    ])
  }
})

test('nobody is answered from what was made for others', async () => {
  await restrict({ row_filter: 'id < 3', except: [staff.principal] })
  const [mine, all] = [await dump(reader), await dump(staff)]
  expect([rowsOf(mine).length, rowsOf(all).length]).toEqual([3, ROWS])
  const [etag, wholeTag] = [mine, all].map(({ headers }) => headers.get('etag') ?? '')
  const [address, wholeAddress] = [mine, all].map((each) => {
    return each.headers.get('content-location') ?? ''
  })
  expect(etag).not.toBe(wholeTag)
  expect(mine.headers.get('content-disposition')).not.toBe(all.headers.get('content-disposition'))
  expect(address).not.toBe(wholeAddress)
  expect((await dump(reader, 'format=ndjson', { 'If-None-Match': etag ?? '' })).status).toBe(304)
  for (const held of [{ 'If-None-Match': wholeTag ?? '' }, { 'If-Range': wholeTag ?? '' }]) {
    // Beyond the rows that both may see.
    const Range = `bytes=${Buffer.byteLength(mine.text) - 6}-`
    const again = await dump(reader, 'format=ndjson', { ...held, Range })
    if ('If-Range' in held) {
      expect([again.status, again.headers.get('etag'), again.text]).toEqual([200, etag, mine.text])
    } else {
      // The address moves with the table: whose bytes are held already is not known.
      expect([again.status, again.body.etag]).toEqual([428, etag])
    }
  }
  const head = await ask(service, `${TABLE}/dump?format=ndjson`, {
    ...{ method: 'HEAD', headers: { Authorization: `Bearer ${reader.key}` } },
  })
  expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(mine.text)))
  for (const kind of ['', '/status', '.sha256']) {
    const path = (wholeAddress ?? '').replace('/dump?', `/dump${kind}?`)
    const asked = await reader.send('get', path)
    expect([kind, asked.status, asked.body?.type]).toEqual([
      ...[kind, 410, '/problems/dump-edition-gone'],
    ])
  }
  expect((await reader.send('get', address ?? '')).text).toBe(mine.text)
  const ckan = '/datastore/dump/air.flights?format=csv'
  const lines = [reader, staff].map(async (caller) => {
    return (await caller.send('get', ckan)).text.trimEnd().split('\n').length
  })
  expect(await Promise.all(lines)).toEqual([4, ROWS + 1])
  // Who sees the same has the same file; who sees more, another.
  expect((await dump(other)).headers.get('etag')).toBe(etag)
  await restrict({ row_filter: 'id < 3', except: [staff.principal, other.principal] })
  expect(rowsOf(await dump(other)).length).toBe(ROWS)
  await restrict({ row_filter: 'id < 5' })
  expect(rowsOf(await dump(staff)).length).toBe(5)
  expect((await staff.send('get', wholeAddress ?? '')).status).toBe(410)
})

test('the filter looks at columns that the schema of the dump has not', async () => {
  await restrict({
    row_filter: 'late = 2',
    columns: [{ column: 'late', action: 'replace-with-null' }],
  })
  const [rows, older] = [await dump(reader), await dump(reader, 'format=ndjson&schema_id=0')]
  const ids = MODEL.filter(({ late }) => late === 2).map(({ id }) => id)
  expect(rowsOf(rows).map(({ id, late }) => [id, late])).toEqual(ids.map((id) => [id, null]))
  expect(rowsOf(older).map(({ id, late }) => [id, late])).toEqual(ids.map((id) => [id, undefined]))
})

test('a check says that only a policy takes a privilege away', async () => {
  await restrict({ row_filter: 'id < 3', except: [staff.principal] })
  const check = (caller: Caller, privilege: string) =>
    must(caller.send('get', `${TABLE}/permissions/check?privilege=${privilege}`))
  const granted = { privilege: 'select', on: 'air.flights', through: reader.principal }
  expect(await check(reader, 'select')).toEqual({
    ...{ allowed: false, restricted: true },
    because: [granted, { ...granted, through: 'policy' }],
  })
  expect(await check(reader, 'modify')).toEqual({ allowed: false, restricted: false, because: [] })
  expect(await check(staff, 'select')).toMatchObject({ allowed: true, restricted: false })
  const refused = await reader.send('get', TABLE)
  expect([refused.status, refused.body.detail]).toEqual([
    ...[403, expect.stringContaining('/v1/tables/air.flights/dump')],
  ])
})

test('a dump in the background is made for whom it is asked', async () => {
  await restrict({ row_filter: 'id IN (4, 5)' })
  const prefer = { Prefer: 'respond-async, wait=60' }
  expect(rowsOf(await dump(reader, 'format=ndjson', prefer)).map(({ id }) => id)).toEqual([4, 5])
})

test('a policy follows field ids, and shows nothing without those of its filter', async () => {
  const { admin } = service
  const columns = [{ column: 'tail', action: 'replace-with-null' }]
  await restrict({ row_filter: "region = 'EU'", columns, except: [admin.principal] })
  const shown = rowsOf(await dump(reader)).map(({ id }) => id)
  await must(
    admin.send('post', `${TABLE}/schemas`, {
      changes: [
        { op: 'rename', name: 'region', to: 'area' },
        { op: 'rename', name: 'tail', to: 'mark' },
      ],
    }),
  )
  const renamed = rowsOf(await dump(reader))
  expect(renamed.map(({ id }) => id)).toEqual(shown)
  expect(renamed.every(({ area, mark }) => area === 'EU' && mark === null)).toBe(true)
  expect(rowsOf(await dump(reader, 'format=ndjson&schema_id=0')).map(({ id }) => id)).toEqual(shown)
  await must(admin.send('post', `${TABLE}/schemas`, { changes: [{ op: 'drop', name: 'mark' }] }))
  expect(rowsOf(await dump(reader)).map(({ id }) => id)).toEqual(shown)
  const before = await dump(reader, 'format=ndjson&schema_id=0')
  expect([before.status, before.body.type]).toEqual([403, '/problems/table-restricted'])
  await must(admin.send('post', `${TABLE}/schemas`, { changes: [{ op: 'drop', name: 'area' }] }))
  const gone = await dump(reader)
  expect([gone.status, gone.body.type]).toEqual([403, '/problems/table-restricted'])
  expect((await admin.send('get', TABLE)).status).toBe(200)
})

const onDay = (action: string) => ({ column: 'day', action })

test.each([
  [{ columns: [{ column: 'nothing', action: 'mask-alphanum' }] }, 'request-invalid'],
  [{ columns: [{ column: 'id', action: 'mask-alphanum' }] }, 'request-invalid'],
  [{ columns: [{ column: 'place', action: 'sha-256-global' }] }, 'request-invalid'],
  [{ columns: [{ column: 'price', action: 'sha-256-query-local' }] }, 'request-invalid'],
  [{ columns: [{ column: 'price', action: 'mask-to-default' }] }, 'request-invalid'],
  [{ columns: [{ column: 'price', action: 'apply-expression' }] }, 'request-invalid'],
  [{ columns: ['mask-to-fixed-value', 'replace-with-null'].map(onDay) }, 'request-invalid'],
  [{ row_filter: 'nothing = 1' }, 'filter-invalid'],
])('a policy that cannot hold is refused: %j', async (policy, code) => {
  const { status, body } = await service.admin.send('put', POLICY, policy)
  expect([status, body.type]).toEqual([400, `/problems/${code}`])
})

test('the address of an older service has what is left, byte for byte', async () => {
  await restrict({ row_filter: 'id < 3', except: [staff.principal] })
  const older = async (caller: Caller) => {
    const headers = { Authorization: `Bearer ${caller.key}` }
    const response = await fetch(`${service.url}/data/air.flights/records.csv.gz`, { headers })
    return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) }
  }
  const left = await download('csv&compression=gzip')
  expect(await older(reader)).toEqual({ status: 200, bytes: left })
  const whole = await older(staff)
  expect([whole.status, whole.bytes.equals(left)]).toEqual([200, false])
})
