import type { Stores } from '../../catalog/catalog.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { TablePolicy } from '../../core/table/table-policy.ts'
import type { LakeServices } from '../../lake/lake.ts'
import {
  policyNotesFolder,
  readPolicyNote,
  tableOfPolicyNote,
} from '../../lake/policies/policy-note.ts'

export interface ClosedTable {
  readonly table: string
  /** The table's. */
  readonly location: string
  readonly outcome: 'closed'
  readonly detail: string
}

/** Notes of the policies that tables had, by their UUIDs. */
type NotedPolicies = ReadonlyMap<string, readonly string[]>

type Dependencies = Stores<'policies' | 'tables'> & Pick<LakeServices, 'objects' | 'warehouse'>

/** Bound to no table, it shows nothing to anybody until another is set, or it is taken away. */
const CLOSED: TablePolicy = { rowFilter: null, except: [] }

/**
 * Closes every table that a note tells a policy of; to be called before the tables come back. A
 * note may be older than the last change of its policy, and whom that excepts has gone with the
 * catalog, so it is told to people and not put into force. Tables that the catalog has stay as
 * they are.
 */
export async function closeNotedTables({
  catalog,
  objects,
  warehouse,
}: Dependencies): Promise<NotedPolicies> {
  const notes = new Map<string, readonly string[]>()
  for await (const { location } of objects.list(policyNotesFolder({ warehouse }))) {
    const tableUuid = tableOfPolicyNote(location)
    if (tableUuid === undefined) continue
    const known = notes.get(tableUuid)
    if (known !== undefined) notes.set(tableUuid, [...known, location])
    else if ((await catalog.tables.find({ tableUuid })) === undefined) {
      await catalog.policies.bringBack({ tableUuid, policy: CLOSED })
      notes.set(tableUuid, [location])
    }
  }
  return notes
}

/** Those of them that came back, and the policies that they had. */
export async function* tellClosed(
  { catalog, objects }: Dependencies,
  noted: NotedPolicies,
): AsyncIterable<ClosedTable> {
  for (const [tableUuid, notes] of noted) {
    const state = await catalog.tables.find({ tableUuid })
    if (state === undefined) continue
    const { location } = state.definition
    const policies = await Promise.all(notes.map((note) => readOrTell({ objects }, note)))
    const table = formatTableName(state.namespace, state.name)
    const detail = `its policy was ${policies.join(' or ')}`
    yield { table, location, outcome: 'closed', detail }
  }
}

async function readOrTell(place: Pick<LakeServices, 'objects'>, note: string): Promise<string> {
  try {
    return await readPolicyNote(place, note)
  } catch (error) {
    return `unknown (${error instanceof Error ? error.message : String(error)})`
  }
}
