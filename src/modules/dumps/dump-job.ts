import type { JobRecord } from '../../catalog/job-store.ts'
import { CatalogError } from '../../core/errors.ts'
import type { TablePolicy } from '../../core/table/table-policy.ts'
import type { JobKind } from '../../lake/jobs/job-kind.ts'
import type { Jobs } from '../../lake/jobs/jobs.ts'
import { ProblemError } from '../../problem/problems.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import {
  choiceOf,
  type DumpFormatChoice,
  type DumpTarget,
  dumpName,
  versionOf,
} from './dump-key.ts'
import { getDumpTarget } from './dump-target.ts'
import type { Dumps } from './dumps.ts'

const KIND = 'dump'

/** Everything about a dump that another process needs to make it; stored with its job. */
type DumpInput = DumpFormatChoice & {
  readonly tableUuid: string
  readonly snapshotId: string
  /** The snapshot's own if absent. */
  readonly schemaId?: number
  readonly edition?: string
  /** What holds for whoever asked. */
  readonly policy?: TablePolicy
}

/** Makes dumps in the background. */
export function dumpJob(
  deps: Pick<DumpDependencies, 'catalog' | 'ambient'>,
  dumps: Dumps,
): JobKind<DumpInput> {
  return {
    kind: KIND,
    input: inputOf,
    async run({ input, report }, _fence, signal) {
      const { tableUuid, snapshotId, edition, policy, ...rest } = input
      const policyOn = () => policy
      const selector = { snapshotIdentifier: snapshotId }
      const target = await getDumpTarget(deps, { table: tableUuid, selector, policyOn, ...rest })
      if (edition !== undefined) requireSame(target, edition)
      const index = await dumps.build(target, {
        report: (pieces) => report({ pieces_done: pieces }),
        signal,
      })
      const { lengthBytes, rowCount, sha256 } = index
      return { bytes: lengthBytes, rows: rowCount, sha256 }
    },
  }
}

/** Submits the dump as a job; requests for the same dump share one job. */
export async function askForDump(
  jobs: Jobs,
  target: DumpTarget,
  asker: string,
): Promise<JobRecord> {
  const { state, restriction } = target
  const { snapshotId, ...version } = versionOf(target)
  const input: DumpInput = {
    tableUuid: state.definition.tableUuid,
    snapshotId: String(snapshotId),
    ...version,
    ...choiceOf(target),
    ...(restriction !== 'unrestricted' && { policy: restriction.policy }),
  }
  return (await jobs.submit({ kind: KIND, key: dumpName(target), input, asker })).job
}

/** The job that makes the dump, or was the last to make it. */
export function findDumpJob(jobs: Jobs, target: DumpTarget): Promise<JobRecord | undefined> {
  return jobs.findByKey({ kind: KIND, key: dumpName(target) })
}

/** Refuses to make another edition than the one that was asked for. */
function requireSame(target: DumpTarget, edition: string): void {
  if (versionOf(target).edition === edition) return
  throw new ProblemError(
    'dump-edition-gone',
    'the table is read in another way since the dump was asked for: ask for it again',
    { facts: { edition } },
  )
}

function inputOf(stored: unknown): DumpInput {
  const input = (stored ?? {}) as Partial<DumpInput>
  const { tableUuid, snapshotId, schemaId, edition, format, compression, bom, policy } = input
  if (tableUuid && snapshotId && format && compression) {
    const version = {
      ...(schemaId !== undefined && { schemaId }),
      ...(edition !== undefined && { edition }),
      ...(policy !== undefined && { policy }),
    }
    const choice = choiceOf({ format, compression, ...(bom === true && { bom }) })
    return { tableUuid, snapshotId, ...version, ...choice }
  }
  throw new CatalogError('request-invalid', 'the input of the job does not name a dump')
}
