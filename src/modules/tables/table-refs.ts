import { CatalogError } from '../../core/errors.ts'
import { withRef } from '../../core/metadata/snapshot-update.ts'
import type { Keep } from '../../core/replay.ts'
import { schemaIdAfterRollback } from '../../core/table/schema-of-rollback.ts'
import { shown } from '../../core/table/shown-name.ts'
import { MAIN_BRANCH, type Snapshot, type SnapshotRef } from '../../core/table/snapshot.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableState } from '../../core/table/table.ts'
import { changeTable } from '../../lake/commit/change-table.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import { getSnapshot } from '../../lake/table/table-lookup.ts'

/** What addresses of a table already mean; a ref of that name could not be read. */
const TAKEN_NAMES: ReadonlySet<string> = new Set([
  ...['latest', 'clone', 'dump', 'files', 'metadata', 'refs', 'rollback', 'schemas', 'snapshots'],
])
const SNAPSHOT_ID = /^\d+$/

export interface NewRef extends Omit<SnapshotRef, 'snapshotId'> {
  /** What it points at; the current snapshot where empty. */
  readonly selector: SnapshotSelector
}

/** Makes a branch or tag, or moves the one of that name. Does nothing if nothing differs. */
export function setRef(
  deps: CommitDependencies,
  { table, name }: { readonly table: string; readonly name: string },
  { selector, ...given }: NewRef,
  keep?: Keep<TableState>,
): Promise<TableState> {
  requireFreeName(name)
  const change = async (state: TableState) => {
    const snapshot = await getSnapshot(deps, state, selector)
    if (snapshot === undefined) {
      throw new CatalogError('snapshot-not-found', 'the table has no snapshot yet', {
        facts: { snapshot: 'latest', refs: [] },
      })
    }
    requireReadable(state, snapshot, given.type)
    const ref: SnapshotRef = { ...given, snapshotId: snapshot.snapshotId }
    const refs = withRef(state.refs, name, ref)
    return refs === state.refs ? {} : { refs }
  }
  return changeTable(deps, table, change, keep)
}

/** Drops a branch or tag; its snapshots stay until they expire. Throws `snapshot-not-found`. */
export function dropRef(
  deps: CommitDependencies,
  { table, name }: { readonly table: string; readonly name: string },
  keep?: Keep<TableState>,
): Promise<TableState> {
  if (name === MAIN_BRANCH) throw invalid('the branch main is the table itself: drop the table')
  const change = (state: TableState) => {
    if (findRef(state, name) === undefined) throw refNotFound(state, name)
    const { [name]: _dropped, ...refs } = state.refs
    return { refs }
  }
  return changeTable(deps, table, change, keep)
}

export function findRef({ refs }: TableState, name: string): SnapshotRef | undefined {
  return Object.hasOwn(refs, name) ? refs[name] : undefined
}

/** A branch is read by the table's columns, a tag by those of its snapshot. */
function requireReadable(
  { definition }: TableState,
  { snapshotId, schemaId }: Snapshot,
  type: SnapshotRef['type'],
): void {
  if (type === 'tag') return
  if (schemaIdAfterRollback(definition, schemaId) === definition.currentSchemaId) return
  throw invalid(
    `a column was converted to another type after snapshot ${snapshotId}, so engines would read ` +
      'nulls on a branch of it: make a tag, or roll the table back to it first',
  )
}

function requireFreeName(name: string): void {
  if (name === MAIN_BRANCH) throw invalid('the branch main is moved by commits and by rollback')
  if (TAKEN_NAMES.has(name)) throw invalid(`${name} already has a meaning: choose another name`)
  if (SNAPSHOT_ID.test(name)) throw invalid('a name of digits would be read as a snapshot id')
}

function refNotFound({ refs }: TableState, name: string): CatalogError {
  const detail = `the table has no branch or tag ${shown(name)}`
  return new CatalogError('snapshot-not-found', detail, {
    facts: { snapshot: shown(name), refs: Object.keys(refs).slice(0, 100) },
  })
}

function invalid(detail: string): CatalogError {
  return new CatalogError('update-invalid', detail)
}
