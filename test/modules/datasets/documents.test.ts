import { createHash } from 'node:crypto'
import { appendFile, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Answer, ask, type Json, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { addFile, makeTable, rows } from '../dumps/http/dump-lab.ts'

const CARD = {
  title: 'Moons & {all} of 100 %',
  description: 'Some moons.\nAll of them.',
  creators: [
    { name: 'Ada Lovelace', id: 'https://orcid.org/0000-0002-1825-0097', affiliation: 'Society' },
    { name: 'Galileo' },
  ],
  license: 'CC-BY-4.0',
  keywords: ['moons', 'sky'],
}
const DOCUMENTS = ['croissant.json', 'datapackage.json', 'datacite.json', 'ro-crate-metadata.json']

let service: TestService
let snapshotId = ''
let tableId = ''
beforeAll(async () => {
  service = await startTestService()
  const ids = await makeTable(service, 'moons', [rows(20)])
  snapshotId = ids[0] ?? ''
  tableId = (await must(get('/v1/tables/moons'))).table_id
  const wish = { name: 'moons', source: { table: 'moons' }, ...CARD }
  await must(post(service, '/v1/datasets', wish), 201)
  await must(post(service, '/v1/datasets', { name: 'bare', source: { table: 'moons' } }), 201)
})
afterAll(() => service.close())

function get(path: string): Promise<Answer> {
  return ask(service, path)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

const PLACES = () => [
  ['a dataset', '/v1/datasets/moons', '/v1/datasets/moons/1'],
  ['a version', '/v1/datasets/moons/1', '/v1/datasets/moons/1'],
  ['one without a card', '/v1/datasets/bare/1', '/v1/datasets/bare/1'],
  ['a snapshot', `/v1/tables/moons/${snapshotId}`, `/v1/tables/${tableId}/${snapshotId}`],
  ['the table as it is now', '/v1/tables/moons/latest', `/v1/tables/${tableId}/${snapshotId}`],
]

test('documents tell length and digest of the very files that they lead to', async () => {
  for (const [, place, permanent] of PLACES()) {
    const csv = (await must(get(`${place}/datapackage.json`))).resources[0]
    const { distribution, url } = await must(get(`${place}/croissant.json`))
    const crate = await must(get(`${place}/ro-crate-metadata.json`))
    const sums = (await get(`${place}/SHA256SUMS`)).text
    const found = await get(csv.path.replace(service.url, ''))
    expect([found.status, csv.bytes, csv.hash]).toEqual([
      ...[200, found.text.length, `sha256:${sha256(found.text)}`],
    ])
    expect(distribution).toMatchObject([
      { contentUrl: csv.path, sha256: sha256(found.text), encodingFormat: 'text/csv' },
      { encodingFormat: 'application/x-parquet' },
    ])
    const file = crate['@graph'].find((entity: Json) => entity['@id'] === csv.path)
    expect(file).toMatchObject({ '@type': 'File', sha256: sha256(found.text) })
    expect(sums).toContain(`${sha256(found.text)}  ${distribution[0].name}\n`)
    const parquet = await fetch(distribution[1].contentUrl)
    const bytes = Buffer.from(await parquet.arrayBuffer())
    const digest = createHash('sha256').update(bytes).digest('hex')
    expect(digest).toBe(distribution[1].sha256)
    expect(sums).toContain(digest)
    expect(url).toBe(service.url + permanent)
    expect((await fetch(url)).status).toBe(200)
  }
})

test('a document has the card of its dataset, and says so where there is none', async () => {
  const croissant = await must(get('/v1/datasets/moons/croissant.json'))
  expect(croissant).toMatchObject({
    ...{ name: 'moons', alternateName: CARD.title, keywords: CARD.keywords, version: '1.0.0' },
    license: 'https://spdx.org/licenses/CC-BY-4.0.html',
    creator: [{ name: 'Ada Lovelace', url: CARD.creators[0]?.id }, { name: 'Galileo' }],
  })
  const types = croissant.recordSet[0].field.map((field: Json) => field.dataType)
  expect(types).toEqual(['sc:Integer', 'sc:Text', 'sc:Float'])
  const bare = await must(get('/v1/datasets/bare/datacite.json'))
  expect(bare).toMatchObject({ creators: [{ name: ':unav' }], rightsList: [], version: '1' })
  const crate = await must(get('/v1/datasets/bare/ro-crate-metadata.json'))
  const root = crate['@graph'].find((entity: Json) => entity['@id'] === './')
  // What RO-Crate asks of the root.
  for (const key of ['name', 'description', 'datePublished', 'license']) {
    expect([key, root[key]]).toEqual([key, expect.anything()])
  }
})

test('every reference within an RO-Crate has its entity', async () => {
  for (const [, place] of PLACES()) {
    const { '@graph': graph } = await must(get(`${place}/ro-crate-metadata.json`))
    const ids = graph.map((entity: Json) => entity['@id'])
    expect(new Set(ids).size).toBe(ids.length)
    const values = graph.flatMap(({ conformsTo: _, ...entity }: Json) => Object.values(entity))
    for (const each of values.flat() as Json[]) {
      if (typeof each === 'object') expect(ids).toContain(each['@id'])
    }
  }
})

test('citations are whole in each style', async () => {
  const cite = async (style: string) =>
    (await get(`/v1/datasets/moons/citation?style=${style}`)).text
  const url = `${service.url}/v1/datasets/moons/1`
  const year = new Date().getUTCFullYear()
  const host = new URL(service.url).host
  expect(await cite('text')).toBe(
    `Ada Lovelace & Galileo (${year}). ${CARD.title} (Version 1) [Data set]. ${host}. ${url}\n`,
  )
  const bibtex = await cite('bibtex')
  expect(bibtex).toContain('title = {{Moons \\& \\{all\\} of 100 \\%}}')
  expect(bibtex).toContain('author = {{Ada Lovelace} and {Galileo}}')
  const ris = await cite('ris')
  expect(ris).toContain('AU  - Ada Lovelace\r\nAU  - Galileo\r\n')
  expect(ris).toContain('AB  - Some moons. All of them.\r\n')
  expect(JSON.parse(await cite('csl'))).toMatchObject({
    ...{ type: 'dataset', URL: url, version: '1', author: [{ literal: 'Ada Lovelace' }, {}] },
    issued: { 'date-parts': [[year, expect.any(Number), expect.any(Number)]] },
  })
  expect((await get('/v1/datasets/moons/citation?style=apa')).status).toBe(400)
  const ofTable = (await get(`/v1/tables/moons/${snapshotId}/citation`)).text
  expect(ofTable).toMatch(`default.moons (Version ${snapshotId}) [Data set]`)
})

test('signposts lead to what they say', async () => {
  const { headers } = await get('/v1/datasets/moons')
  const links = [...(headers.get('link') ?? '').matchAll(/<([^>]+)>; rel="([a-z-]+)"/g)]
  const at = (rel: string) => links.flatMap(([, to = '', is]) => (is === rel ? [to] : []))
  expect(at('cite-as')).toEqual(['/v1/datasets/moons/1'])
  expect(at('type')).toEqual(['https://schema.org/Dataset'])
  expect(at('license')).toEqual(['https://spdx.org/licenses/CC-BY-4.0.html'])
  expect(at('author')).toEqual([CARD.creators[0]?.id])
  expect(at('describedby')).toEqual(DOCUMENTS.map((path) => `/v1/datasets/moons/1/${path}`))
  expect(at('item')).toHaveLength(2)
  for (const path of [...at('describedby'), ...at('item')]) {
    const answer = await get(path)
    const [, type] =
      new RegExp(`<${path.replace('?', '\\?')}>[^,]*type="([^"]+)"`).exec(
        headers.get('link') ?? '',
      ) ?? []
    expect([path, answer.status]).toEqual([path, 200])
    expect(answer.headers.get('content-type')).toMatch(String(type))
  }
})

test('a dataset is verified against its source, and its files', async () => {
  const { path } = await addFile(service, 'firm', rows(3))
  await must(post(service, '/v1/datasets', { name: 'firm', source: { table: 'firm' } }), 201)
  const verify = async () => must(post(service, '/v1/datasets/firm/verify', undefined))
  expect(await verify()).toMatchObject({ reproduced: true, files: 1, differing: [] })
  await addFile(service, 'firm', rows(3, 3))
  expect((await verify()).reproduced).toBe(true)
  await must(ask(service, '/v1/tables/firm', { method: 'DELETE' }))
  expect(await verify()).toMatchObject({ reproduced: null, differing: [] })
  const file = path.startsWith('file:') ? fileURLToPath(path) : path
  await appendFile(file, 'more')
  expect((await verify()).reproduced).toBe(false)
  await rm(file)
  const { reproduced, differing } = await verify()
  expect([reproduced, differing.length]).toEqual([false, 1])
})
