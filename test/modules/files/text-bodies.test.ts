import { mkdir } from 'node:fs/promises'
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

const CSV = 'note\nan ordinary text of more bytes than are looked at, one would think\n'
const foreign: readonly [string, Uint8Array, RegExp][] = [
  ['gzip', gzipSync(CSV), /compressed with gzip: send it uncompressed/],
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

test('a folder to add is called a folder', async () => {
  const folder = `${service.dataFolder}/parts`
  await mkdir(folder, { recursive: true })
  for (const path of [folder, `file://${folder}`]) {
    const answer = await post(service, `/v1/tables/${table}/files`, { files: [{ path }] })
    expect(answer.body).toMatchObject({ type: '/problems/file-not-found', status: 422 })
    expect(answer.body.detail).toContain('is a folder: name the files in it')
  }
})
