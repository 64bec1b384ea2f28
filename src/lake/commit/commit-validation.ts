import type { Stores } from '../../catalog/catalog.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import type { AddedFile } from '../../core/file/data-file.ts'
import { INSPECTIONS_AT_ONCE } from '../../core/limits.ts'
import { requireBoundedDefinition } from '../../core/table/definition-size.ts'
import type { TableState } from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import type {
  StagedChange,
  StagedFile,
  Transaction,
  UnmappedName,
} from '../../core/table/transaction.ts'
import { Turns } from '../../core/turns.ts'
import { readAsOf } from '../file/definition-keys.ts'
import { inspectAgain } from '../file/inspect-file.ts'
import type { CommitServices } from './commit-dependencies.ts'
import { withNames } from './name-mapping-update.ts'
import { refuseLiveFiles } from './staging.ts'

/** One transaction's change to one table, held against the table as it is now. */
export interface ValidChange {
  readonly staged: StagedChange
  readonly addedFiles: readonly AddedFile[]
  /** Whether a file among them has no field ids, so that the table needs a name mapping. */
  readonly needsNameMapping: boolean
  readonly unmappedNames: readonly UnmappedName[]
}

/** Throws what the transaction is refused for; changes nothing. */
export async function validateChange(
  deps: Stores<'paths'> & Pick<CommitServices, 'manifests' | 'objects'>,
  state: TableState,
  {
    transaction,
    change,
    known,
  }: {
    readonly transaction: Transaction
    readonly change: StagedChange
    /** Paths among those that the batch adds which the table may have had. */
    readonly known: ReadonlySet<string>
  },
): Promise<ValidChange> {
  if (change.truncate || change.removedPaths.length > 0) requireBase(state, transaction, change)
  const files = await bringUpToDate(deps, state, change.addedFiles)
  await refuseLiveFiles(deps, state, { files, known, findChange: async () => change })
  const names = {
    needsNameMapping: files.some((file) => !file.hasFieldIds),
    unmappedNames: files.flatMap((file) => file.unmappedNames ?? []),
  }
  // One by one, so that only those are refused whose files have such names.
  requireBoundedDefinition(withNames(state.definition, [names]), state.definition)
  return { staged: change, addedFiles: files.map((file) => file.dataFile), ...names }
}

/**
 * Appends commute; what truncates or removes was decided on a base, and holds for that base only.
 */
function requireBase(state: TableState, transaction: Transaction, change: StagedChange): void {
  const currentSnapshotId = state.currentSnapshot?.snapshotId ?? null
  if (transaction.isolation === 'overwrite' || currentSnapshotId === change.baseSnapshotId) return
  const table = formatTableName(state.namespace, state.name)
  throw new CatalogError(
    'commit-conflict',
    `${table} was committed to since transaction ${transaction.transactionId} first touched it: ` +
      'look at the table and start again, or start with "isolation": "overwrite"',
    {
      facts: {
        table,
        baseSnapshotId: change.baseSnapshotId?.toString() ?? null,
        currentSnapshotId: currentSnapshotId?.toString() ?? null,
      },
    },
  )
}

/**
 * A file that was staged under an older schema or partition spec is read again under the current
 * one.
 */
async function bringUpToDate(
  deps: Pick<CommitServices, 'objects'>,
  { definition }: TableState,
  files: readonly StagedFile[],
): Promise<readonly StagedFile[]> {
  const { columns, spec } = readAsOf(definition)
  const isCurrent = ({ dataFile, readAs }: StagedFile) =>
    dataFile.specId === definition.defaultSpecId &&
    readAs?.columns === columns &&
    readAs.spec === spec
  if (files.every(isCurrent)) return files
  const turns = new Turns()
  return mapBounded(files, INSPECTIONS_AT_ONCE, async (file) => {
    if (files.length > INSPECTIONS_AT_ONCE) await turns.take()
    return isCurrent(file) ? file : inspectAgain(deps.objects, definition, file)
  })
}
