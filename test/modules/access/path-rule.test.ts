import { readFile } from 'node:fs/promises'
import { must } from '../../http/client.ts'
import { writeParquet } from '../../parquet-files.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const COLUMNS = { columns: [{ name: 'n', type: 'long' }] }
const REST = '/iceberg/v1/namespaces'

let service: KeyedService
/** May read and write everything in the namespace `own`, which has one table, and nothing else. */
let mallory: Caller
/** A file in the warehouse, of a table that nobody but the administrator knows. */
let inside: string
/** One elsewhere that this table names. */
let outside: string
beforeAll(async () => {
  service = await startKeyedService()
  const { admin, dataFolder } = service
  for (const namespace of ['own', 'secret']) {
    await must(admin.send('post', '/v1/tables', { name: 't', namespace, schema: COLUMNS }), 201)
  }
  mallory = await service.newCaller({ '/v1/namespaces/own': ['own'] })
  outside = await writeParquet(`${dataFolder}/outside.parquet`, 'SELECT 7::BIGINT AS n')
  inside = await uploaded(admin, 'secret.t')
  await must(stage(admin, 'secret.t', outside))
})
afterAll(() => service.close())

const stage = (by: Caller, table: string, path: string) =>
  by.send('post', `/v1/tables/${table}/files`, { files: [{ path }] })

let files = 0
async function uploaded(by: Caller, table: string): Promise<string> {
  const at = `${service.dataFolder}/up${++files}.parquet`
  await writeParquet(at, `SELECT ${files}::BIGINT AS n`)
  const response = await fetch(`${service.url}/v1/tables/${table}/files`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${by.key}`,
      'Content-Type': 'application/vnd.apache.parquet',
    },
    body: new Uint8Array(await readFile(at)),
  })
  expect(response.status).toBe(201)
  const answer = JSON.parse(await response.text())
  return answer.files[0].path
}

interface Loaded {
  readonly 'metadata-location': string
  readonly metadata: { readonly snapshots: readonly Record<string, unknown>[] }
}

const load = (namespace: string): Promise<Loaded> =>
  must(service.admin.send('get', `${REST}/${namespace}/tables/t`))

/** Every way to name a file by path, and what it answers. */
async function waysTo(path: string) {
  const { transaction_id } = await must(mallory.send('post', '/v1/transactions/start', {}), 201)
  const [snapshot] = (await load('secret')).metadata.snapshots
  const commit = (name: string, requirements: readonly object[]) =>
    mallory.send('post', `${REST}/own/tables/${name}`, {
      requirements,
      updates: [
        {
          action: 'add-snapshot',
          snapshot: { ...snapshot, 'snapshot-id': 31, 'manifest-list': path },
        },
      ],
    })
  const name = `n${++files}`
  return {
    stage: await stage(mallory, 'own.t', path),
    transaction: await mallory.send('post', '/v1/tables/own.t/files', {
      ...{ transaction_id, files: [{ path }] },
    }),
    infer: await mallory.send('post', '/v1/tables', { name, namespace: 'own', infer_from: path }),
    register: await mallory.send('post', `${REST}/own/register`, {
      ...{ name, 'metadata-location': path },
    }),
    commit: await commit('t', []),
  }
}

function shapeOf(ways: Awaited<ReturnType<typeof waysTo>>, path: string) {
  return Object.entries(ways).map(([way, { status, text }]) => {
    const said = text.replaceAll(path, 'it').replace(/"(?:instance|request_id)":"[^"]*"/g, '')
    return [way, status, said]
  })
}

test('no way leads to a file of a hidden table, which reads like one that is missing', async () => {
  const { metadata, ...secret } = await load('secret')
  const folder = inside.slice(0, inside.lastIndexOf('/'))
  const list = String(metadata.snapshots[0]?.['manifest-list'])
  for (const path of [inside, outside, list, secret['metadata-location']]) {
    const ways = await waysTo(path)
    for (const [way, { status, text }] of Object.entries(ways)) {
      expect([way, path, status, text]).toEqual([way, path, 403, expect.any(String)])
      expect([way, text]).toEqual([way, expect.stringContaining('You may not read')])
    }
    expect(ways.stage.body?.type).toBe('/problems/path-not-readable')
    const base = path === outside ? service.dataFolder : folder
    const missing = `${base}/missing.parquet`
    expect(shapeOf(ways, path)).toEqual(shapeOf(await waysTo(missing), missing))
  }
})

test('whoever may select from every table that names a file may stage it', async () => {
  const { admin } = service
  const readers = await service.newCaller({
    ...{ '/v1/namespaces/own': ['own'], '/v1/tables/secret.t': ['select'] },
  })
  await must(stage(readers, 'own.t', inside))
  await must(
    readers.send('post', '/v1/tables', {
      ...{ name: 'inferred', namespace: 'own', infer_from: outside },
    }),
    201,
  )
  await must(
    admin.send('post', '/v1/tables', { name: 'u', namespace: 'secret', schema: COLUMNS }),
    201,
  )
  await must(stage(admin, 'secret.u', outside))
  expect((await stage(readers, 'own.t', outside)).status).toBe(403)
})

test('files of nobody, and those of tables that one may write, stay free', async () => {
  const free = await writeParquet(`${service.dataFolder}/free.parquet`, 'SELECT 9::BIGINT AS n')
  await must(stage(mallory, 'own.t', free))
  const own = await uploaded(mallory, 'own.t')
  const made = await mallory.send('post', '/v1/tables', {
    ...{ name: 'again', namespace: 'own', infer_from: own },
  })
  expect(made.status).toBe(201)
  const folder = own.slice(0, own.lastIndexOf('/'))
  const missing = await stage(mallory, 'own.t', `${folder}/missing.parquet`)
  expect(missing.body?.type).toBe('/problems/file-not-found')
})

test('a commit may name manifests of a table one reads, but no hidden file in them', async () => {
  const { admin } = service
  const hidden = await writeParquet(`${service.dataFolder}/both.parquet`, 'SELECT 8::BIGINT AS n')
  await must(
    admin.send('post', '/v1/tables', { name: 't', namespace: 'shared', schema: COLUMNS }),
    201,
  )
  await must(stage(admin, 'shared.t', hidden))
  const reader = await service.newCaller({
    ...{ '/v1/namespaces/own': ['own'], '/v1/tables/shared.t': ['select'] },
  })
  await must(
    reader.send('post', '/v1/tables', { name: 'copy', namespace: 'own', schema: COLUMNS }),
    201,
  )
  const [snapshot] = (await load('shared')).metadata.snapshots
  const commit = (id: number) =>
    reader.send('post', `${REST}/own/tables/copy`, {
      requirements: [],
      updates: [{ action: 'add-snapshot', snapshot: { ...snapshot, 'snapshot-id': id } }],
    })
  await must(stage(admin, 'secret.t', hidden))
  const refused = await commit(41)
  expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('both.parquet')])
  await must(
    admin.send('post', '/v1/tables/secret.t/permissions', {
      grant: [{ principal: reader.principal, privilege: 'select' }],
    }),
  )
  const taken = await commit(42)
  expect([taken.status, taken.text]).toEqual([200, expect.any(String)])
})
