import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { ask, must as done, post } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { appendCommit, writeAppend } from './engine-client.ts'
import { type Json, must, refused, rest } from './rest-client.ts'

const EVER_MS = 1e14

let service: TestService
beforeAll(async () => {
  service = await startTestService()
})
afterAll(() => service.close())

let tables = 0

/** A table whose only snapshot is removed again, and a clone that holds the file of it. */
async function forgetful(): Promise<{ name: string; path: string; metadata: Json; list: string }> {
  const name = `t${tables++}`
  const columns = [{ name: 'id', type: 'long' }]
  await done(post(service, '/v1/tables', { name, schema: { columns } }), 201)
  const body = { method: 'POST', headers: { 'Content-Type': 'text/csv' }, raw: 'id\n1\n' }
  const [{ path }] = (await done(ask(service, `/v1/tables/${name}/files`, body), 201)).files
  const [snapshot] = (await load(name)).snapshots
  await done(post(service, `/v1/tables/${name}/clone`, { name: `${name}_clone` }), 201)
  await done(post(service, `/v1/tables/${name}/files/truncate`, {}))
  const removal = { action: 'remove-snapshots', 'snapshot-ids': [snapshot['snapshot-id']] }
  await must(rest(service, at(name), { json: { requirements: [], updates: [removal] } }))
  const list = snapshot['manifest-list']
  const copy = `${list.slice(0, list.lastIndexOf('/'))}/copy.avro`
  await copyFile(list.replace('file://', ''), copy.replace('file://', ''))
  return { name, path, metadata: await load(name), list: copy }
}

const at = (name: string) => `/namespaces/default/tables/${name}`
const load = async (name: string): Promise<Json> => (await must(rest(service, at(name)))).metadata

async function purgeClone(name: string, when: 'now' | 'true'): Promise<void> {
  const path = `/v1/tables/${name}_clone?purge=${when}`
  expect((await ask(service, path, { method: 'DELETE' })).status).toBeLessThan(300)
}

/** A new snapshot with the old manifest, or with a manifest that says the old file is there. */
const COMMITS: Record<string, (table: Awaited<ReturnType<typeof forgetful>>) => Promise<Json>> = {
  'a manifest': async ({ metadata, list }) =>
    appendCommit(metadata, {
      'snapshot-id': 4242n,
      'sequence-number': BigInt(metadata['last-sequence-number']) + 1n,
      'timestamp-ms': Number(metadata['last-updated-ms']) + 1,
      'manifest-list': list,
      summary: { operation: 'append' },
      'schema-id': 0,
    }),
  'an existing file': async ({ metadata, path }) => {
    const what = { snapshotId: 4243n, files: [path], status: 'existing' as const }
    return appendCommit(metadata, (await writeAppend(metadata, what)).json)
  },
}

describe.each(Object.keys(COMMITS))('%s that only a removed snapshot named', (which) => {
  const commit = COMMITS[which] as (typeof COMMITS)[string]

  test('is refused once its file is deleted', async () => {
    const table = await forgetful()
    const { name, path, metadata } = table
    const json = await commit(table)
    await purgeClone(name, 'now')
    expect(existsSync(path.replace('file://', ''))).toBe(false)
    const [status, , message] = await refused(rest(service, at(name), { json }))
    expect([status, message]).toEqual([409, expect.stringContaining('was deleted by a purge')])
    expect(await load(name)).toEqual(metadata)
  })

  test('takes its file from deletion while that waits for the grace', async () => {
    const table = await forgetful()
    const { name, path } = table
    const json = await commit(table)
    await purgeClone(name, 'true')
    const query = { nowMs: EVER_MS, limit: 1_000 }
    const waiting = async () => {
      const due = await service.deps.catalog.deletions.listDue(query)
      return due.some((deletion) => deletion.path === path)
    }
    expect(await waiting()).toBe(true)
    await must(rest(service, at(name), { json }))
    expect(await waiting()).toBe(false)
    const { text } = await ask(service, `/v1/tables/${name}/dump?format=csv`)
    expect(text).toContain('1')
  })
})
