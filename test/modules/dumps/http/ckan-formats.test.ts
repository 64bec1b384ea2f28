import { createHash } from 'node:crypto'
import { ask, must } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

const HOSTILE = [
  'plain',
  '',
  ' ',
  '\t',
  'a\tb',
  'line\nline',
  'cr\r\nlf\r',
  '"quoted"',
  `'`,
  '\\',
  '\\n',
  ',',
  '#',
  '&amp; <b>"x"</b> ]]> <!-- -->',
  '</row></data>',
  '],[',
  '\u0001\u0002\u0003',
  'nul\u0000nul',
  '\ufffe\uffff',
  'é😀\u2028\u202e',
  '=1+1',
  'NULL',
]

async function create(name: string, columns: readonly unknown[], ...uploads: readonly string[]) {
  await must(
    ask(service, '/v1/tables', { method: 'POST', json: { name, schema: { columns } } }),
    201,
  )
  for (const raw of uploads) await append(name, raw)
}

async function append(name: string, raw: string): Promise<void> {
  await must(
    ask(service, `/v1/tables/${name}/files`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson' },
      raw,
    }),
    201,
  )
}

function lines(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}

interface Got {
  readonly status: number
  readonly text: string
  readonly bytes: Buffer
  readonly headers: Headers
}

async function get(path: string, headers: Record<string, string> = {}): Promise<Got> {
  const answer = await fetch(service.url + path, { headers })
  const bytes = Buffer.from(await answer.arrayBuffer())
  return { status: answer.status, text: bytes.toString(), bytes, headers: answer.headers }
}

/** The dump, finished. */
async function dump(table: string, format: string): Promise<Got> {
  return get(`/v1/tables/${table}/dump?format=${format}`, { Prefer: 'wait=60' })
}

interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlElement[]
  readonly text: string
}

/** A strict reader of the XML that we write: throws on anything else. */
function parseXml(text: string): XmlElement {
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found === null) throw new Error(`not XML at ${at}: ${text.slice(at, at + 40)}`)
    at = pattern.lastIndex
    return found
  }
  const unescaped = (escaped: string): string => {
    if (/&(?!(?:amp|lt|gt|quot|#\d+);)|</.test(escaped)) throw new Error(`not escaped: ${escaped}`)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has none of them.
    if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(escaped)) {
      throw new Error('a character that XML lacks')
    }
    const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' }
    return escaped.replaceAll(/&(?:#(\d+)|(\w+));/g, (_, code, name) =>
      code === undefined ? (named[name] ?? '') : String.fromCodePoint(Number(code)),
    )
  }
  const element = (): XmlElement => {
    const [, name = '', attributes = '', isClosed] = take(
      /<([\p{L}_][\p{L}\p{N}_.-]*)((?: [\w:]+="[^"<]*")*)( ?\/)?>/uy,
    )
    const pairs = [...attributes.matchAll(/ ([\w:]+)="([^"]*)"/g)].map(
      ([, key = '', value = '']) => [key, unescaped(value)],
    )
    const children: XmlElement[] = []
    let inner = ''
    if (isClosed === undefined) {
      for (;;) {
        inner += unescaped(take(/[^<]*/y)[0])
        if (text.startsWith('</', at)) break
        children.push(element())
      }
      take(new RegExp(`</${name}>`, 'y'))
    }
    return { name, attributes: Object.fromEntries(pairs), children, text: inner }
  }
  const root = element()
  if (text.slice(at) !== '\n') throw new Error('something follows the root')
  return root
}

const isNil = ({ attributes }: XmlElement) => attributes['xsi:nil'] === 'true'

describe('hostile text', () => {
  const columns = [
    { name: 'n', type: 'long' },
    { name: 'text', type: 'string' },
  ]
  const rows = [...HOSTILE, null].map((text, n) => ({ n, text }))
  beforeAll(() => create('hostile', columns, lines(rows.slice(0, 9)), lines(rows.slice(9))))

  test('json has it all back', async () => {
    const { status, text, headers } = await dump('hostile', 'json')
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8'])
    expect(JSON.parse(text)).toEqual({
      fields: [
        { id: 'n', type: 'int8' },
        { id: 'text', type: 'text' },
      ],
      records: rows.map((row) => [row.n, row.text]),
    })
  })

  test('tsv has it all back', async () => {
    const { text, headers } = await dump('hostile', 'tsv')
    expect(headers.get('content-type')).toBe('text/tab-separated-values; charset=utf-8')
    const field = String.raw`(?:"((?:[^"]|"")*)"|([^"\t\n]*))`
    const record = new RegExp(String.raw`${field}\t${field}\n`, 'gy')
    const records = [...text.matchAll(record)].map(([, , n = '', quoted, bare = '']) => [
      n,
      quoted === undefined ? (bare === '' ? null : bare) : quoted.replaceAll('""', '"'),
    ])
    expect(records).toEqual([['n', 'text'], ...rows.map(({ n, text }) => [String(n), text])])
  })

  test('xml has it all back, but for characters that no XML can have', async () => {
    const { text, headers } = await dump('hostile', 'xml')
    expect(headers.get('content-type')).toBe('text/xml; charset=utf-8')
    const data = parseXml(text)
    expect(data.name).toBe('data')
    expect(data.attributes).toEqual({ 'xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance' })
    const found = data.children.map(({ name, children: [n, value] }) => [
      name,
      n?.text,
      value === undefined || isNil(value) ? null : value.text,
    ])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has none of them.
    const never = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g
    expect(found).toEqual(
      rows.map((row) => ['row', String(row.n), row.text?.replaceAll(never, '\ufffd') ?? null]),
    )
  })
})

test('the bytes are those of CKAN’s writer', async () => {
  const columns = [
    { name: 'book', type: 'string' },
    { name: 'pages', type: 'int' },
  ]
  await create('books', columns, lines([{ book: 'annakarenina', pages: 864 }, { book: null }]))
  await append('books', lines([{ book: 'a < b', pages: 1 }]))
  expect((await dump('books', 'json')).text).toBe(
    '{\n  "fields": [{"id":"book","type":"text"},{"id":"pages","type":"int4"}],\n' +
      '  "records": [\n    ["annakarenina",864],\n    [null,null],\n    ["a < b",1]\n]}\n',
  )
  expect((await dump('books', 'tsv')).text).toBe('book\tpages\nannakarenina\t864\n\t\na < b\t1\n')
  expect((await dump('books', 'xml')).text).toBe(
    '<data xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n' +
      '<row><book>annakarenina</book><pages>864</pages></row>\n' +
      '<row><book xsi:nil="true" /><pages xsi:nil="true" /></row>\n' +
      '<row><book>a &lt; b</book><pages>1</pages></row>\n</data>\n',
  )
})

test('nested values, and names that no element can have', async () => {
  const columns = [
    { name: 'a b', type: 'double' },
    { name: 'a_b', type: 'boolean' },
    { name: 'xml"<&', type: { type: 'list', element: { type: 'list', element: 'string' } } },
    { name: '1', type: { type: 'map', key: 'string', value: 'long' } },
    {
      name: 's',
      type: {
        type: 'struct',
        fields: [
          { name: 'x y', type: 'string' },
          { name: 'd', type: 'date' },
        ],
      },
    },
  ]
  const row = {
    'a b': 0.5,
    a_b: true,
    'xml"<&': [['<'], [], null],
    1: { '"': 1, k: null },
    s: { 'x y': '&', d: '2024-01-01' },
  }
  await create('nested', columns, lines([row, {}]))
  const { records } = JSON.parse((await dump('nested', 'json')).text)
  const values = columns.map(({ name }) => row[name as keyof typeof row])
  expect(records).toEqual([values, columns.map(() => null)])
  const [first, second] = parseXml((await dump('nested', 'xml')).text).children
  expect(first?.children.map(({ name, attributes }) => [name, attributes['key']])).toEqual([
    ['a_b', 'a b'],
    ['a_b_0', 'a_b'],
    ['_xml___', 'xml"<&'],
    ['_1', '1'],
    ['s', undefined],
  ])
  const [number, flag, list, map, struct] = first?.children ?? []
  expect([number?.text, flag?.text]).toEqual(['0.5', 'true'])
  expect(
    list?.children.map((each) => [each.attributes['key'], isNil(each), each.children.length]),
  ).toEqual([
    ['0', false, 1],
    ['1', false, 0],
    ['2', true, 0],
  ])
  expect(list?.children[0]?.children[0]?.text).toBe('<')
  expect(map?.children.map((each) => [each.attributes['key'], isNil(each), each.text])).toEqual([
    ['"', false, '1'],
    ['k', true, ''],
  ])
  expect(struct?.children.map((each) => [each.attributes['key'], each.text])).toEqual([
    ['x y', '&'],
    ['d', '2024-01-01'],
  ])
  expect(second?.children.every(isNil)).toBe(true)
})

describe.each(['json', 'tsv', 'xml'])('%s', (format) => {
  const columns = [{ name: 'v', type: 'long' }]
  const valuesOf = (text: string): readonly number[] => {
    if (format === 'json') return JSON.parse(text).records.map(([v]: number[]) => v)
    if (format === 'xml') return parseXml(text).children.map(({ children: [v] }) => Number(v?.text))
    return text.trimEnd().split('\n').slice(1).map(Number)
  }

  test('of no snapshot, of no rows, and of rows whose last file was deleted', async () => {
    const table = `few_${format}`
    await create(table, columns)
    expect(valuesOf((await dump(table, format)).text)).toEqual([])
    await append(table, lines([{ v: 1 }, { v: 2 }]))
    await append(table, lines([{ v: 3 }]))
    expect(valuesOf((await dump(table, format)).text)).toEqual([1, 2, 3])
    // The shard that was the last is now in the middle: its bytes are shared.
    await append(table, lines([{ v: 4 }]))
    expect(valuesOf((await dump(table, format)).text)).toEqual([1, 2, 3, 4])
    const { data_files } = await must(ask(service, `/v1/tables/${table}`))
    const files = [0, 1].map((i) => ({ path: data_files[i].path }))
    await must(
      ask(service, `/v1/tables/${table}/files/remove`, { method: 'POST', json: { files } }),
    )
    expect(valuesOf((await dump(table, format)).text)).toEqual([1, 2])
  })

  test('has ranges, a tag, a digest and an address, as other formats have', async () => {
    const table = `whole_${format}`
    const rows = Array.from({ length: 500 }, (_, v) => ({ v }))
    await create(table, columns, lines(rows.slice(0, 300)), lines(rows.slice(300)))
    const whole = await dump(table, format)
    expect(valuesOf(whole.text)).toEqual(rows.map(({ v }) => v))
    expect(whole.headers.get('content-length')).toBe(String(whole.bytes.length))
    const sha256 = createHash('sha256').update(whole.bytes).digest('base64')
    expect(whole.headers.get('repr-digest')).toBe(`sha-256=:${sha256}:`)
    const pinned = whole.headers.get('content-location') ?? ''
    const part = await get(pinned, { Range: 'bytes=1000-1999' })
    expect([part.status, part.bytes.equals(whole.bytes.subarray(1000, 2000))]).toEqual([206, true])
    const tail = await get(pinned, { Range: 'bytes=-5' })
    expect(tail.bytes.equals(whole.bytes.subarray(-5))).toBe(true)
    const tag = whole.headers.get('etag') ?? ''
    expect((await get(pinned, { 'If-None-Match': tag })).status).toBe(304)
    expect((await get(`/datastore/dump/${table}?format=${format}`)).text).toBe(whole.text)
    const named = await fetch(`${service.url}/v1/tables/${table}/${table}.${format}`, {
      redirect: 'manual',
    })
    expect([named.status, named.headers.get('location')]).toEqual([307, pinned])
    expect(whole.headers.get('content-disposition')).toContain(`.${format}"`)
    const packed = await get(`/v1/tables/${table}/dump?format=${format}&compression=gzip`)
    expect(packed.status).toBe(format === 'tsv' ? 200 : 400)
  })
})

test('programs that accept anything, and browsers, still get CSV', async () => {
  await create('accepted', [{ name: 'v', type: 'long' }], lines([{ v: 1 }]))
  for (const accept of ['*/*', 'text/html,application/xml;q=0.9,*/*;q=0.8']) {
    const answer = await get('/v1/tables/accepted/dump', { Accept: accept })
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8')
  }
  const tsv = await get('/v1/tables/accepted/dump', { Accept: 'text/tab-separated-values' })
  expect(tsv.text).toBe('v\n1\n')
})
