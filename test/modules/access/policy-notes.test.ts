import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PolicyStore } from '../../../src/catalog/policy-store.ts'
import { notedPolicies } from '../../../src/lake/policies/noted-policies.ts'
import {
  noteEveryPolicy,
  notePolicyAhead,
  policyNotesFolder,
} from '../../../src/lake/policies/policy-note.ts'
import { closeNotedTables, tellNoted } from '../../../src/modules/operations/rebuild-policies.ts'
import { must } from '../../http/client.ts'
import { type KeyedService, startKeyedService } from './keyed-service.ts'

let service: KeyedService
beforeAll(async () => {
  service = await startKeyedService()
})
afterAll(() => service.close())

const { signal } = new AbortController()
const RULES = { row_filter: 'id > 1', columns: [], trusted_engines: [] }

async function make(name: string): Promise<{ readonly path: string; readonly uuid: string }> {
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  const { admin } = service
  const made = await must(admin.send('post', '/v1/tables', { name, namespace: 'n', schema }), 201)
  return { path: `/v1/tables/n.${name}`, uuid: made.table_id }
}

/** What the notes of a table say. */
async function notesOf(uuid: string): Promise<readonly unknown[]> {
  const folder = policyNotesFolder(service.deps).replace('file://', '')
  const names = await readdir(join(folder, uuid)).catch(() => [])
  const texts = names.map((name) => readFile(join(folder, uuid, name), 'utf8'))
  return (await Promise.all(texts)).map((text) => JSON.parse(text))
}

test('each policy is noted beside the tables, as it is, and no more when it is gone', async () => {
  const { admin } = service
  const { path, uuid } = await make('one')
  const excepting = { ...RULES, except: [admin.principal] }
  await must(admin.send('put', `${path}/policy`, { ...excepting, row_filter: 'id > 2' }))
  await must(admin.send('put', `${path}/policy`, excepting))
  expect(await notesOf(uuid)).toEqual([excepting])
  const clone = await must(
    admin.send('post', `${path}/clone`, { name: 'two', namespace: 'n' }),
    201,
  )
  expect(await notesOf(clone.table_id)).toEqual([excepting])
  await must(admin.send('delete', `${path}/policy`))
  expect(await notesOf(uuid)).toEqual([])
  expect(await notesOf(clone.table_id)).toEqual([excepting])
})

test('the note of what replaces a table is there, too', async () => {
  const { deps } = service
  const { path, uuid } = await make('old')
  const policy = { ...RULES, except: [] }
  await must(service.admin.send('put', `${path}/policy`, policy))
  const replaced = await deps.catalog.tables.find({ tableUuid: uuid })
  if (replaced === undefined) throw new Error('no table')
  const tableUuid = deps.ambient.newUuid()
  const location = `${deps.warehouse}/n/new-${tableUuid}`
  const state = { ...replaced, definition: { ...replaced.definition, tableUuid, location } }
  const outcome = await deps.catalog.tables.replace({
    ...{ tableUuid: uuid, expectedVersion: replaced.version },
    table: { state, snapshots: [], snapshotLog: [], addedPaths: [] },
  })
  expect(outcome).toBe('created')
  expect(await notesOf(tableUuid)).toEqual([policy])
})

test('after changes at the same time the note is that of the policy that is left', async () => {
  const { admin, deps } = service
  const { path, uuid } = await make('busy')
  const changes = Array.from({ length: 12 }, (_, i) =>
    i % 4 === 3
      ? admin.send('delete', `${path}/policy`)
      : admin.send('put', `${path}/policy`, { row_filter: `id > ${i}` }),
  )
  for (const change of changes) await must(change)
  const left = await deps.catalog.policies.listOn([uuid])
  const filters = left.map(({ policy }) => policy.rowFilter)
  const noted = (await notesOf(uuid)) as readonly { readonly row_filter: string }[]
  expect(noted.map((note) => note.row_filter)).toEqual(filters)
})

test('it is noted before it is there, and not put in force where that cannot be', async () => {
  const { deps } = service
  const { uuid } = await make('ahead')
  const policy = { rowFilter: 'id > 1', except: [], names: { tableUuid: uuid, schemaId: 0 } }
  const change = { tableUuid: uuid, name: 'n.ahead', policy }
  const seen: unknown[] = []
  const { catalog, warehouse, log } = deps
  const crashing: PolicyStore = {
    listAll: () => catalog.policies.listAll(),
    listOn: (uuids) => catalog.policies.listOn(uuids),
    bringBack: (kept) => catalog.policies.bringBack(kept),
    forgetOrphans: (query) => catalog.policies.forgetOrphans(query),
    change: async () => {
      seen.push(...(await notesOf(uuid)))
      throw new Error('the process ends')
    },
  }
  const over = (objects: typeof deps.objects, policies: PolicyStore) =>
    notedPolicies({ tables: catalog.tables, policies }, { catalog, objects, warehouse, log })
  await expect(over(deps.objects, crashing).policies.change(change)).rejects.toThrow('ends')
  expect(seen).toEqual([{ ...RULES, except: [] }])
  expect(await notesOf(uuid)).toEqual([])

  const full = Object.create(deps.objects, {
    putIfAbsent: { value: () => Promise.reject(new Error('the disk is full')) },
  }) as typeof deps.objects
  await expect(over(full, catalog.policies).policies.change(change)).rejects.toThrow('full')
  expect(await catalog.policies.listOn([uuid])).toEqual([])
})

test('policies from before there were notes are noted within the hour', async () => {
  const { deps } = service
  const { path, uuid } = await make('older')
  await must(service.admin.send('put', `${path}/policy`, { row_filter: 'id > 1' }))
  const folder = `${policyNotesFolder(deps)}/${uuid}`
  for await (const { location } of deps.objects.list(folder)) await deps.objects.delete(location)
  await noteEveryPolicy(deps, signal)
  expect(await notesOf(uuid)).toEqual([{ ...RULES, except: [] }])
})

test('the note of a policy that ends with its table goes with it', async () => {
  const { admin, deps } = service
  const { path, uuid } = await make('dropped')
  await must(
    admin.send('put', `${path}/policy`, { row_filter: 'id > 1', except: [admin.principal] }),
  )
  await must(admin.send('delete', path))
  const nowMs = Date.now()
  await deps.catalog.policies.forgetOrphans({ nowMs, beforeMs: 0 })
  expect(await notesOf(uuid)).toHaveLength(1)
  await deps.catalog.policies.forgetOrphans({ nowMs, beforeMs: nowMs + 1 })
  expect(await notesOf(uuid)).toEqual([])
})

test('a table that a rebuild closed and could not read is closed by the next one', async () => {
  const { deps } = service
  const tableUuid = deps.ambient.newUuid()
  const had = { rowFilter: 'id > 1', except: [], names: { tableUuid, schemaId: 0 } }
  await notePolicyAhead(deps, tableUuid, had)
  await closeNotedTables(deps)
  const [closed] = await deps.catalog.policies.listOn([tableUuid])
  expect(closed?.policy).toEqual({ rowFilter: null, except: [] })
  const nowMs = Date.now()
  await deps.catalog.policies.forgetOrphans({ nowMs, beforeMs: 0 })
  await deps.catalog.policies.forgetOrphans({ nowMs, beforeMs: nowMs + 1 })
  expect(await deps.catalog.policies.listOn([tableUuid])).toEqual([])
  await noteEveryPolicy(deps, signal)
  expect(await notesOf(tableUuid)).toEqual([{ ...RULES, except: [] }])
  await closeNotedTables(deps)
  expect(await deps.catalog.policies.listOn([tableUuid])).toEqual([closed])
})

test('a rebuild over a catalog that is older than a policy says that there was one', async () => {
  const { deps } = service
  const { path, uuid } = await make('elder')
  await must(service.admin.send('put', `${path}/policy`, { row_filter: 'id > 1' }))
  const told = async () => {
    const found = []
    for await (const each of tellNoted(deps, await closeNotedTables(deps))) found.push(each)
    return found.filter(({ table }) => table === 'n.elder')
  }
  expect(await told()).toEqual([])
  // As a catalog that was put back: it knows nothing of it.
  await deps.catalog.policies.change({ tableUuid: uuid, name: 'n.elder', policy: undefined })
  const names = { tableUuid: uuid, schemaId: 0 }
  await notePolicyAhead(deps, uuid, { rowFilter: 'id > 1', except: [], names })
  expect(await told()).toEqual([
    expect.objectContaining({
      outcome: 'open',
      detail: expect.stringMatching(/^had a policy: {"row_filter":"id > 1",.*: set it again \(PUT/),
    }),
  ])
  expect(await deps.catalog.policies.listOn([uuid])).toEqual([])
})

test('a note that could not be taken away with its policy is, when a grace is over', async () => {
  const { deps } = service
  const { uuid } = await make('left')
  const unknown = deps.ambient.newUuid()
  for (const tableUuid of [uuid, unknown]) {
    const names = { tableUuid, schemaId: 0 }
    await notePolicyAhead(deps, tableUuid, { rowFilter: 'id > 1', except: [], names })
  }
  const deleteGraceMs = 1_000_000
  const after = (ms: number) => {
    const ambient = { nowMs: () => Date.now() + ms }
    return noteEveryPolicy({ ...deps, ambient, deleteGraceMs }, signal)
  }
  await after(0)
  expect(await notesOf(uuid)).toHaveLength(1)
  await after(2 * deleteGraceMs)
  expect([await notesOf(uuid), await notesOf(unknown)]).toEqual([[], [expect.anything()]])
})
