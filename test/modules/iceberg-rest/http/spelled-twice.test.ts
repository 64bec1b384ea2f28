import type { ManifestFile } from '../../../../src/core/file/data-file.ts'
import { ask } from '../../../http/client.ts'
import { startTestService, type TestService } from '../../../http/harness.ts'
import { writeParquet } from '../../../parquet-files.ts'
import { appendCommit, writeAppend } from './engine-client.ts'
import { type Json, must, refusal, rest, SCHEMA } from './rest-client.ts'

/** Engines compare texts, so that one file under two spellings is read twice. */

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  await must(rest(service, '/namespaces', { json: { namespace: ['a'] } }))
})
afterAll(() => service.close())

const at = (name: string) => `/namespaces/a/tables/${name}`
const load = async (name: string): Promise<Json> => (await must(rest(service, at(name)))).metadata
const commit = (name: string, json: Json) => rest(service, at(name), { json })

let tables = 0
let snapshotIds = 100n

async function create(): Promise<string> {
  const name = `t${++tables}`
  await must(rest(service, '/namespaces/a/tables', { json: { name, schema: SCHEMA } }))
  return name
}

/** The texts of one file. */
function spellings(name: string): readonly string[] {
  const path = `${service.dataFolder}/${name}.parquet`
  return [`file://${path}`, `file:${path}`, path, `file://${path.replace(/\/(?=[^/]*$)/, '//')}`]
}

type Append = Omit<Parameters<typeof writeAppend>[1], 'snapshotId'>

/** An append to a branch, and the manifests of the snapshot. */
async function append(name: string, what: Append, branch = 'main') {
  const metadata = await load(name)
  const written = await writeAppend(metadata, { snapshotId: ++snapshotIds, ...what })
  return { ...written, commit: appendCommit(metadata, written.json, branch) }
}

/** Refused for good, before anything changes; names both spellings. */
async function expectRefused(name: string, json: Json, texts: readonly string[]): Promise<void> {
  const before = await load(name)
  const { status, type, message } = await refusal(commit(name, json))
  expect([status, type]).toEqual([400, 'BadRequestException'])
  for (const text of texts) expect(message).toContain(text)
  expect(await load(name)).toEqual(before)
}

test('a file that is live under another spelling is refused, under its own it is not', async () => {
  const name = await create()
  const texts = spellings(name)
  const [first = '', ...others] = texts
  const { commit: json, manifests: before } = await append(name, { files: [first, `${first}2`] })
  await must(commit(name, json))
  for (const text of others) {
    const other = await append(name, { files: [text], before })
    await expectRefused(name, other.commit, [first, text])
  }
  // The reference implementation takes the same text twice; so do we.
  const same = await append(name, { files: [first], before })
  await must(commit(name, same.commit))
})

test('the rows of a file that is listed again are on pages as often as in one answer', async () => {
  const name = await create()
  const path = `${service.dataFolder}/${name}.parquet`
  await writeParquet(path, `SELECT 7 AS id, 'a' AS name`)
  const file = `file://${path}`
  const { commit: json } = await append(name, { files: [file, file, file] })
  await must(commit(name, json))
  const read = async (parameters: string) =>
    await must(ask(service, `/v1/tables/a.${name}/rows?${parameters}`))
  expect((await read('limit=9')).rows).toHaveLength(3)
  let [page, count] = [await read('limit=1'), 1]
  while (page.next_page_token !== null && count < 9) {
    page = await read(`limit=1&after=${page.next_page_token}`)
    count += page.rows.length
  }
  expect(count).toBe(3)
})

test('so is one that `/v1` added', async () => {
  const name = await create()
  const body = { method: 'POST', headers: { 'Content-Type': 'text/csv' }, raw: 'id,name\n1,a\n' }
  const uploaded = await ask(service, `/v1/tables/a.${name}/files`, body)
  expect(uploaded.status).toBe(201)
  const [{ path }] = uploaded.body.files
  const [{ 'manifest-list': list }] = (await load(name)).snapshots
  const before = await service.deps.manifests.getManifestList(list)
  const other = path.replace('file:///', 'file:/')
  const next = await append(name, { files: [`file://${service.dataFolder}/x`, other], before })
  await expectRefused(name, next.commit, [path, other])
})

test('a file that is added twice in one snapshot under two spellings is refused', async () => {
  const name = await create()
  for (const text of spellings(name).slice(1)) {
    const [first = ''] = spellings(name)
    const twice = await append(name, { files: [first, text] })
    await expectRefused(name, twice.commit, [first, text])
  }
  // In two manifests of it.
  const [first = '', other = ''] = spellings(name)
  const left = await append(name, { files: [first] })
  const right = await append(name, { files: [other], before: left.manifests })
  await expectRefused(name, right.commit, [first, other])
})

test('a snapshot without the other spelling takes the file', async () => {
  const name = await create()
  const [first = '', other = ''] = spellings(name)
  const { commit: json, manifests } = await append(name, { files: [first] })
  await must(commit(name, json))
  // As an overwrite leaves the old one out.
  const replaced = await append(name, { files: [other] })
  await must(commit(name, replaced.commit))
  const next = await append(name, { files: [`${first}2`], before: replaced.manifests })
  await must(commit(name, next.commit))
  expect(manifests).toHaveLength(1)
})

test('branches and staged snapshots are held against their own parents', async () => {
  const name = await create()
  const [first = '', other = ''] = spellings(name)
  const base = await append(name, { files: [`${first}0`] })
  await must(commit(name, base.commit))
  const parent = (await load(name))['current-snapshot-id']
  const onMain = await append(name, { files: [first], before: base.manifests })
  await must(commit(name, onMain.commit))

  // The branch does not have the file yet.
  const what = { parent, before: base.manifests }
  const onBranch = await append(name, { ...what, files: [other] }, 'audit')
  await must(commit(name, onBranch.commit))
  const branchHead = onBranch.json['snapshot-id'] as bigint
  const again = { parent: branchHead, before: onBranch.manifests, files: [first] }
  const twice = await append(name, again, 'audit')
  await expectRefused(name, twice.commit, [first, other])

  const stage = async (files: readonly string[], before: readonly ManifestFile[]) => {
    const { json } = await append(name, { files, before })
    return { requirements: [], updates: [{ action: 'add-snapshot', snapshot: json }] }
  }
  await expectRefused(name, await stage([other], onMain.manifests), [first, other])
  await must(commit(name, await stage([`${other}3`], onMain.manifests)))
})

test('a table that is born with a file twice is not made', async () => {
  const model = await create()
  const metadata = await load(model)
  const [first = '', other = ''] = spellings(model)
  const { json } = await writeAppend(metadata, {
    ...{ snapshotId: ++snapshotIds, files: [first, other] },
  })
  const birth = {
    requirements: [{ type: 'assert-create' }],
    updates: [
      { action: 'upgrade-format-version', 'format-version': 2 },
      { action: 'add-schema', schema: metadata.schemas[0] },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
      { action: 'add-snapshot', snapshot: json },
      {
        ...{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch' },
        'snapshot-id': json['snapshot-id'],
      },
    ],
  }
  const { status, message } = await refusal(commit('born', birth))
  expect([status, message]).toEqual([400, expect.stringContaining(other)])
  expect((await rest(service, at('born'))).status).toBe(404)
})
