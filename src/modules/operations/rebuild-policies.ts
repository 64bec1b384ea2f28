import type { Stores } from '../../catalog/catalog.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type { TablePolicy } from '../../core/table/table-policy.ts'
import type { LakeServices } from '../../lake/lake.ts'
import {
  policyNotesFolder,
  readPolicyNote,
  tableOfPolicyNote,
} from '../../lake/policies/policy-note.ts'

export interface NotedTable {
  readonly table: string
  /** The table's. */
  readonly location: string
  /** `open`: the catalog had it already, without a policy. */
  readonly outcome: 'closed' | 'open'
  readonly detail: string
}

/** Notes of the policies that tables had, by their UUIDs. */
type NotedPolicies = ReadonlyMap<string, Noted>
type Noted = Pick<NotedTable, 'outcome'> & { readonly notes: readonly string[] }

type Dependencies = Stores<'policies' | 'tables'> & Pick<LakeServices, 'objects' | 'warehouse'>

/** Bound to no table, it shows nothing to anybody until another is set, or it is taken away. */
const CLOSED: TablePolicy = { rowFilter: null, except: [] }
const OPEN =
  '; in this catalog it has none: set it again (PUT /v1/tables/<table>/policy) unless it was ' +
  'taken away'

/**
 * Closes every table that a note tells a policy of; to be called before the tables come back. A
 * note may be older than the last change of its policy, and whom that excepts has gone with the
 * catalog, so it is told to people and not put into force. Tables that the catalog has stay as
 * they are: it may be older than the policy of one, or a note not have gone with its policy.
 */
export async function closeNotedTables({
  catalog,
  objects,
  warehouse,
}: Dependencies): Promise<NotedPolicies> {
  const noted = new Map<string, Noted>()
  for await (const { location } of objects.list(policyNotesFolder({ warehouse }))) {
    const tableUuid = tableOfPolicyNote(location)
    if (tableUuid === undefined) continue
    const known = noted.get(tableUuid)
    if (known !== undefined) {
      noted.set(tableUuid, { ...known, notes: [...known.notes, location] })
    } else if ((await catalog.tables.find({ tableUuid })) === undefined) {
      await catalog.policies.bringBack({ tableUuid, policy: CLOSED })
      noted.set(tableUuid, { outcome: 'closed', notes: [location] })
    } else if ((await catalog.policies.listOn([tableUuid])).length === 0) {
      noted.set(tableUuid, { outcome: 'open', notes: [location] })
    }
  }
  return noted
}

/** Those of them that are there, and the policies that they had. */
export async function* tellNoted(
  { catalog, objects }: Dependencies,
  noted: NotedPolicies,
): AsyncIterable<NotedTable> {
  for (const [tableUuid, { outcome, notes }] of noted) {
    const state = await catalog.tables.find({ tableUuid })
    if (state === undefined) continue
    const { location } = state.definition
    const policies = await Promise.all(notes.map((note) => readOrTell({ objects }, note)))
    const table = formatTableName(state.namespace, state.name)
    const told = policies.join(' or ')
    const detail = outcome === 'closed' ? `its policy was ${told}` : `had a policy: ${told}${OPEN}`
    yield { table, location, outcome, detail }
  }
}

async function readOrTell(place: Pick<LakeServices, 'objects'>, note: string): Promise<string> {
  try {
    return await readPolicyNote(place, note)
  } catch (error) {
    return `unknown (${error instanceof Error ? error.message : String(error)})`
  }
}
