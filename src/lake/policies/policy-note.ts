import { createHash } from 'node:crypto'
import type { Stores } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Log } from '../../core/log.ts'
import { type TablePolicy, toldPolicy } from '../../core/table/table-policy.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { Warehouse } from '../table/table-location.ts'

/** No namespace or table can have this name. */
const FOLDER = '.policies'
const NOTE = /\/\.policies\/([0-9a-f-]{36})\/[0-9a-f]{16}\.json$/
const HASH_DIGITS = 16
/** A policy has at most 100,000 characters. */
const NOTE_BYTES_MAX = 1024 * 1024
/** Others change the same policy at the same time: the last one that looks makes it right. */
const ATTEMPTS_MAX = 5

export type PolicyNoteDependencies = Stores<'policies'> &
  Warehouse & {
    readonly objects: Pick<ObjectStore, 'delete' | 'list' | 'putIfAbsent'>
    readonly log: Log
  }

/** Where it is noted which tables have a policy, for a catalog that is rebuilt from files. */
export function policyNotesFolder({ warehouse }: Warehouse): string {
  return `${warehouse}/${FOLDER}`
}

/** UUID of the table that a note is of; `undefined` if it is no such note. */
export function tableOfPolicyNote(location: string): string | undefined {
  return NOTE.exec(location)?.[1]
}

/**
 * Notes that the table has a policy, before it has: whatever happens then, a catalog that is
 * rebuilt does not show its rows. Throws if that cannot be noted.
 */
export async function notePolicyAhead(
  deps: Pick<PolicyNoteDependencies, 'objects' | 'warehouse'>,
  tableUuid: string,
  policy: TablePolicy,
): Promise<void> {
  const bytes = new TextEncoder().encode(textOf(policy))
  await deps.objects.putIfAbsent(noteOf(deps, tableUuid, policy), bytes)
}

/**
 * Notes the table's policy as the catalog has it, or that there is none. Another note goes when the
 * new one is there, so that there is always one. A failure is logged.
 */
export async function notePolicy(deps: PolicyNoteDependencies, tableUuid: string): Promise<void> {
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (await settle(deps, tableUuid)) return
    }
    deps.log.warn({ tableUuid }, 'the note of a policy kept changing; the hourly task writes it')
  } catch (err) {
    const told = 'the note of a policy, for rebuilds, could not be written; the hourly task will'
    deps.log.warn({ err, tableUuid }, told)
  }
}

/** Returns whether the notes were right. */
async function settle(deps: PolicyNoteDependencies, tableUuid: string): Promise<boolean> {
  const [kept] = await deps.catalog.policies.listOn([tableUuid])
  const wanted = kept && noteOf(deps, tableUuid, kept.policy)
  const present: string[] = []
  for await (const { location } of deps.objects.list(folderOf(deps, tableUuid))) {
    if (tableOfPolicyNote(location) !== undefined) present.push(location)
  }
  // That of a table which a rebuild has closed tells what its policy was.
  if (kept !== undefined && kept.policy.names === undefined && present.length > 0) return true
  const isMissing = kept !== undefined && !present.includes(wanted ?? '')
  const others = present.filter((location) => location !== wanted)
  if (isMissing) await notePolicyAhead(deps, tableUuid, kept.policy)
  for (const other of others) await deps.objects.delete(other)
  return !isMissing && others.length === 0
}

export type EveryNoteDependencies = PolicyNoteDependencies &
  Stores<'tables'> & {
    readonly ambient: Pick<Ambient, 'nowMs'>
    readonly deleteGraceMs: number
  }

/**
 * Notes every policy whose note is missing or old: those from before there were notes, and those
 * whose note could not be written. Takes away those that could not be when their policy was. Not
 * those of tables that are not there: this catalog may be new, and the note all that is left of
 * another; nor new ones: it may be older than them, which `rebuild` tells.
 */
export async function noteEveryPolicy(
  deps: EveryNoteDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { objects, catalog, ambient, deleteGraceMs } = deps
  const having = new Set<string>()
  for (const { tableUuid } of await catalog.policies.listAll()) {
    signal.throwIfAborted()
    having.add(tableUuid)
    await notePolicy(deps, tableUuid)
  }
  const beforeMs = ambient.nowMs() - deleteGraceMs
  for await (const { location, modifiedAtMs } of objects.list(policyNotesFolder(deps))) {
    signal.throwIfAborted()
    const tableUuid = tableOfPolicyNote(location)
    if (tableUuid === undefined || having.has(tableUuid) || modifiedAtMs >= beforeMs) continue
    const table = await catalog.tables.find({ tableUuid })
    if (table !== undefined) await notePolicy(deps, tableUuid)
  }
}

/** The policy that a note tells, as the API has it, for people. */
export async function readPolicyNote(
  { objects }: { readonly objects: Pick<ObjectStore, 'read'> },
  note: string,
): Promise<string> {
  return new TextDecoder().decode(await objects.read(note, { bytesMax: NOTE_BYTES_MAX }))
}

function folderOf(deps: Warehouse, tableUuid: string): string {
  return `${policyNotesFolder(deps)}/${tableUuid}`
}

function noteOf(deps: Warehouse, tableUuid: string, policy: TablePolicy): string {
  const hash = createHash('sha256').update(textOf(policy)).digest('hex').slice(0, HASH_DIGITS)
  return `${folderOf(deps, tableUuid)}/${hash}.json`
}

function textOf(policy: TablePolicy): string {
  return JSON.stringify(toldPolicy(policy))
}
