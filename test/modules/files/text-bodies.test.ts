import { mkdir, writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { type Answer, ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'

let service: TestService
let tables = 0
let table: string

beforeAll(async () => {
  service = await startTestService()
})
beforeEach(async () => {
  tables += 1
  table = `notes_${tables}`
  const columns = [{ name: 'note', type: 'string' }]
  await must(post(service, '/v1/tables', { name: table, schema: { columns } }), 201)
})
afterAll(() => service.close())

function upload(type: string, raw: string | Uint8Array): Promise<Answer> {
  const headers = { 'Content-Type': type }
  return ask(service, `/v1/tables/${table}/files`, { method: 'POST', raw, headers })
}

async function notes(): Promise<string> {
  return (await ask(service, `/v1/tables/${table}/dump?format=csv`)).text
}

/** Nothing of the machine's folders, and nothing that a reader of the API cannot know. */
function expectPlain({ text }: Answer): void {
  expect(text).not.toContain(service.home)
  expect(text).not.toMatch(/file:\/|incoming|[0-9a-f]{12}\.parquet|wire|tmp\//)
}

test.each([
  ['iso-8859-1', Uint8Array.of(0xc3, 0xa9), 'Ã©'],
  ['"windows-1252"', Uint8Array.of(0x80, 0xe9), '€é'],
  ['utf-8', Uint8Array.of(0xc3, 0xa9), 'é'],
  ['UTF8', Uint8Array.of(0xc3, 0xa9), 'é'],
  ['us-ascii', Uint8Array.of(0x61), 'a'],
])('CSV in %s is stored as what it says', async (charset, bytes, text) => {
  const body = Buffer.concat([Buffer.from('note\n'), bytes, Buffer.from('\n')])
  await must(upload(`text/csv; charset=${charset}`, body), 201)
  expect(await notes()).toBe(`note\n${text}\n`)
})

test('NDJSON in UTF-16 is stored as what it says, a character cut by chunks included', async () => {
  const text = `{"note":"${'€ü𝄞'.repeat(20_000)}"}\n`
  const body = Buffer.from(text, 'utf16le')
  await must(upload('application/x-ndjson; charset=utf-16le', body), 201)
  expect(await notes()).toBe(`note\n${'€ü𝄞'.repeat(20_000)}\n`)
})

test('a charset that nobody knows, or that the body does not have, is refused', async () => {
  const unknown = await upload('text/csv; charset=klingon', 'note\na\n')
  expect(unknown.body).toMatchObject({
    ...{ status: 415, type: '/problems/media-type-unsupported', given: 'charset=klingon' },
  })
  const other = await upload('text/csv; charset=shift_jis', Uint8Array.of(0x61, 0x0a, 0x81, 0x0a))
  expect(other.body).toMatchObject({ status: 422, type: '/problems/row-invalid' })
  const headless = await upload('text/csv; header=absent', 'a\n')
  expect(headless.body).toMatchObject({ status: 415, given: 'header=absent' })
  expect(await must(ask(service, `/v1/tables/${table}`))).toMatchObject({ data_files: [] })
})

describe('texts in gzip', () => {
  const csv = `note\n${'one\n'.repeat(1_000)}`

  function send(type: string, raw: Uint8Array, encoding?: string): Promise<Answer> {
    const headers = {
      'Content-Type': type,
      ...(encoding !== undefined && { 'Content-Encoding': encoding }),
    }
    return ask(service, `/v1/tables/${table}/files`, { method: 'POST', raw, headers })
  }

  test.each([
    ['text/csv', csv],
    ['text/tab-separated-values', csv],
    ['application/x-ndjson', '{"note":"one"}\n'.repeat(1_000)],
  ])('%s is taken, whether it says so or not', async (type, text) => {
    for (const encoding of [undefined, 'gzip', 'x-gzip', 'GZIP']) {
      const { files } = await must(send(type, gzipSync(text), encoding), 201)
      expect(files).toMatchObject([{ record_count: 1_000 }])
    }
  })

  test('of several members, as dumps are, and in another charset', async () => {
    const members = [gzipSync('note\na\n'), gzipSync('b\n'), gzipSync('c\n')]
    await must(send('text/csv', Buffer.concat(members)), 201)
    await must(send('text/csv; charset=utf-16le', gzipSync(Buffer.from('note\nä', 'utf16le'))), 201)
    expect(await notes()).toBe('note\na\nb\nc\nä\n')
  })

  test('that is broken, cut off, or none is refused at line 1, and leaves nothing', async () => {
    const whole = gzipSync(csv.repeat(100))
    const broken = Buffer.from(whole)
    broken.fill(0xff, 20, 60)
    for (const [bytes, encoding, told] of [
      [whole.subarray(0, -20), undefined, /broken or cut off/],
      [broken, undefined, /broken or cut off/],
      [Buffer.from(csv), 'gzip', /is no gzip/],
      [Buffer.from('n'), 'gzip', /is no gzip/],
    ] as const) {
      const answer = await send('text/csv', bytes, encoding)
      expect(answer.body).toMatchObject({ status: 422, type: '/problems/row-invalid', line: 1 })
      expect(answer.body.detail).toMatch(told)
      expectPlain(answer)
    }
    expect(await notes()).toBe('note\n')
  })

  test('that becomes far more than a text would is refused before it fills the disk', async () => {
    const rows = Buffer.from(`note\n${'x\n'.repeat(48 * 1024 * 1024)}`)
    const answer = await send('text/csv', gzipSync(rows, { level: 9 }))
    expect(answer.body).toMatchObject({ status: 413, type: '/problems/body-too-large' })
    expect(answer.body.detail).toContain('200 times')
    expect(await notes()).toBe('note\n')
  })

  test('is no form of other bodies', async () => {
    const parquet = await send('application/vnd.apache.parquet', gzipSync(csv), 'gzip')
    expect(parquet.status).toBe(415)
    expect((await send('text/csv', gzipSync(csv), 'br')).status).toBe(415)
  })

  test.each([
    ['csv.gz', 'text/csv'],
    ['tsv', 'text/tab-separated-values'],
    ['tsv.gz', 'text/tab-separated-values'],
    ['ndjson.gz', 'application/x-ndjson'],
  ])('a dump as %s is uploaded again as it is', async (ending, type) => {
    const rows = '"a\tb, ""c"""\n\n"two\nlines"\n'
    await must(upload('text/csv', `note\n${rows}`), 201)
    const dumped = await fetch(`${service.url}/v1/tables/${table}/${table}.${ending}`)
    await must(send(type, new Uint8Array(await dumped.arrayBuffer())), 201)
    expect(await notes()).toBe(`note\n${rows}${rows}`)
  })
})

test('TSV is split at tabs, and told so when it is not', async () => {
  const columns = [
    { name: 'a', type: 'long' },
    { name: 'b', type: 'string' },
  ]
  const name = `pairs_${tables}`
  await must(post(service, '/v1/tables', { name, schema: { columns } }), 201)
  const send = (raw: string) =>
    ask(service, `/v1/tables/${name}/files`, {
      ...{ method: 'POST', raw },
      headers: { 'Content-Type': 'text/tab-separated-values' },
    })
  await must(send('b\ta\nx, y\t1\n\t2\n'), 201)
  const { text } = await ask(service, `/v1/tables/${name}/dump?format=csv`)
  expect(text).toBe('a,b\n1,"x, y"\n2,\n')
  expect((await send('a,b\n1,x\n')).body.detail).toContain('separated by tabs')
})

const CSV = 'note\nan ordinary text of more bytes than are looked at, one would think\n'
const foreign: readonly [string, Uint8Array, RegExp][] = [
  ['Zstandard', Buffer.from('28b52ffd0458010000', 'hex'), /Zstandard/],
  ['a ZIP archive', Buffer.from('PK\u0003\u0004rest of it'), /ZIP archive/],
  ['Parquet', Buffer.from('PAR1\u0015\u0004rest of it'), /Parquet file/],
  ['UTF-16', Buffer.from(`\ufeff${CSV}`, 'utf16le'), /UTF-16/],
  ['UTF-16 without a mark', Buffer.from(CSV, 'utf16le'), /UTF-16/],
]
test.each(foreign)(
  '%s is called what it is, in texts and in JSON',
  async (_what, bytes, message) => {
    for (const type of ['text/csv', 'application/x-ndjson']) {
      const answer = await upload(type, bytes)
      expect(answer.body).toMatchObject({ status: 422, type: '/problems/row-invalid', line: 1 })
      expect(answer.body.detail).toMatch(message)
      expectPlain(answer)
    }
    const json = await upload('application/json', bytes)
    expect(json.body).toMatchObject({ status: 400, type: '/problems/body-invalid' })
  },
)

test('a JSON array, and an object of several lines, are told how NDJSON is written', async () => {
  const list = await upload('application/x-ndjson', ' [{"note":"a"},\n{"note":"b"}]')
  expect(list.body.detail).toMatch(/JSON array: send each object on a line of its own/)
  const pretty = await upload('application/x-ndjson', '{\n  "note": "a"\n}\n')
  expect(pretty.body.detail).toMatch(/line 1: .*each object is written on one line/)
  for (const row of ['{"note": tru}', '{"note": 12345678901234567890x}', 'x']) {
    const answer = await upload('application/x-ndjson', `${row}\n`)
    expect(answer.body).toMatchObject({ status: 422, line: 1 })
    expect(answer.body.detail).not.toMatch(/Unexpected|position|JSON\.parse/)
  }
})

test('refusals of uploads name no place on the server', async () => {
  const parquet = 'application/vnd.apache.parquet'
  for (const bytes of [Buffer.alloc(100), Buffer.from('PAR1PAR1'), Buffer.alloc(0)]) {
    const answer = await upload(parquet, bytes)
    expect(answer.body).toMatchObject({ status: 422, type: '/problems/file-not-parquet' })
    expect(answer.body.detail).toContain('the uploaded file')
    expect(answer.body).not.toHaveProperty('path')
    expect(answer.body).not.toHaveProperty('location')
    expectPlain(answer)
  }
  expectPlain(await upload('text/csv', 'nope\n1\n'))
})

test('a text in the place of Parquet is told how texts are taken', async () => {
  const path = `${service.dataFolder}/rows.csv`
  for (const text of ['note\na\n', `note\n${'text, '.repeat(100)}\n`]) {
    await writeFile(path, text)
    const inferred = await post(service, '/v1/tables', { name: 'inferred', infer_from: path })
    const added = await post(service, `/v1/tables/${table}/files`, { files: [{ path }] })
    const sent = await upload('application/vnd.apache.parquet', text)
    for (const { body } of [inferred, added, sent]) {
      expect(body).toMatchObject({ type: '/problems/file-not-parquet' })
      expect(body.detail).toMatch(/make the table with a "schema", and upload it as text\/csv/)
    }
  }
})

test('a folder to add is called a folder', async () => {
  const folder = `${service.dataFolder}/parts`
  await mkdir(folder, { recursive: true })
  for (const path of [folder, `file://${folder}`]) {
    const answer = await post(service, `/v1/tables/${table}/files`, { files: [{ path }] })
    expect(answer.body).toMatchObject({ type: '/problems/file-not-found', status: 422 })
    expect(answer.body.detail).toContain('is a folder: name the files in it, one by one')
  }
  const told = async (path: string) =>
    (await post(service, `/v1/tables/${table}/files`, { files: [{ path }] })).body.detail
  expect(await told(`${folder}/`)).toContain('like a folder: name the files in it, one by one')
  expect(await told(`${folder}/*.parquet`)).toContain('patterns are not expanded')
})

test('a name with other letters is told that they are ASCII', async () => {
  const columns = [{ name: 'n', type: 'long' }]
  const { body } = await post(service, '/v1/tables', { name: 'Flüge', schema: { columns } })
  expect(body).toMatchObject({ type: '/problems/name-invalid' })
  expect(body.detail).toContain('ASCII letters')
})

test.each(['application/gzip', 'application/x-www-form-urlencoded'])(
  'who sends a text as %s is told of its own type, which gzip leaves as it is',
  async (type) => {
    const { body } = await upload(type, gzipSync('note\na\n'))
    expect(body).toMatchObject({ status: 415, given: type })
    expect(body.detail).toContain('text/csv')
    expect(body.detail).toMatch(/; a text may be in gzip, with the Content-Type of the text$/)
    expect(await notes()).toBe('note\n')
  },
)

test('a backslash and an N are text in TSV, of dumps and of uploads', async () => {
  const columns = [
    { name: 'n', type: 'long' },
    { name: 'note', type: 'string' },
  ]
  await must(post(service, '/v1/tables', { name: 'backs', schema: { columns } }), 201)
  const tsv = 'n\tnote\n1\t\\N\n2\t\n3\t""\n'
  const send = (raw: string) =>
    ask(service, '/v1/tables/backs/files', {
      ...{ method: 'POST', raw, headers: { 'Content-Type': 'text/tab-separated-values' } },
    })
  await must(send(tsv), 201)
  expect((await ask(service, '/v1/tables/backs/dump?format=tsv')).text).toBe(tsv)
  const { rows } = await must(ask(service, '/v1/tables/backs/rows'))
  expect(rows.map(({ note }: { note: unknown }) => note)).toEqual(['\\N', null, ''])
  const refused = await send('n\tnote\n\\N\tx\n')
  expect([refused.status, refused.body.type]).toEqual([422, '/problems/row-invalid'])
})
