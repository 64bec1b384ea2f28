import type { Stores } from '../../catalog/catalog.ts'
import { type DatasetRecord, isUnfinished } from '../../catalog/dataset-store.ts'
import type { Ambient } from '../../core/ambient.ts'
import type { Jobs } from '../../lake/jobs/jobs.ts'
import { causeOf, isLasting, type StoreChecks } from '../../lake/jobs/lasting.ts'
import { askForDump } from '../dumps/dump-job.ts'
import type { DumpTarget } from '../dumps/dump-key.ts'
import { getDumpTarget } from '../dumps/dump-target.ts'
import { DUMP_FORMATS, type DumpFormat } from '../dumps/format/dump-index.ts'
import type { DumpService } from '../dumps/http/dump-resource.ts'
import { CANCELLED } from './end-dataset.ts'
import { ownSnapshotOf } from './find-dataset.ts'

export type FormatDependencies = Stores<'datasets' | 'tables'> &
  StoreChecks & {
    /** Called when formats are made, and not before. */
    dumpService(): DumpService
  }

interface Making {
  readonly signal: AbortSignal
  report(progress: unknown): void
}

/**
 * Makes the formats that a dataset is to have before it counts as ready, those that are wished
 * meanwhile, too. One that cannot be made is left out: its download says why.
 */
export async function makeFormats(
  deps: FormatDependencies,
  tableUuid: string,
  making: Making,
): Promise<void> {
  for (;;) {
    const dataset = await deps.catalog.datasets.find({ tableUuid })
    if (dataset?.state !== 'ready') return
    const [format] = dataset.facts.preparing ?? []
    if (format === undefined) return
    making.report({ preparing: format })
    if (isFormat(format)) await makeFormat(deps, dataset, { ...making, format })
    await deps.catalog.datasets.prepare({ tableUuid, remove: [format] })
  }
}

async function makeFormat(
  deps: FormatDependencies,
  dataset: DatasetRecord,
  { format, signal, report }: Making & { readonly format: DumpFormat },
): Promise<void> {
  try {
    await deps.dumpService().dumps.build(await targetOf(deps, dataset, format), {
      report: (pieces) => report({ preparing: format, pieces_done: pieces }),
      signal,
    })
  } catch (error) {
    if (signal.aborted || !isLasting(await causeOf(deps, error))) throw error
  }
}

/** Whatever of it was still to be made when its job was cancelled: its rows, or formats. */
export async function endCancelled(
  deps: Stores<'datasets'> & { readonly ambient: Pick<Ambient, 'nowMs'> },
  tableUuid: string,
): Promise<void> {
  const nowMs = deps.ambient.nowMs()
  await deps.catalog.datasets.finish({ tableUuid, problem: CANCELLED, nowMs })
  await makeNoFormats(deps, tableUuid)
}

/** The dataset counts as ready without them. */
export async function makeNoFormats(
  { catalog }: Stores<'datasets'>,
  tableUuid: string,
): Promise<void> {
  await catalog.datasets.prepare({ tableUuid, remove: DUMP_FORMATS })
}

/**
 * Wishes formats of a dataset that was there before: with those that are still to be made, or, if
 * it is ready for others already, as jobs that nobody waits for.
 */
export async function askForFormats(
  deps: FormatDependencies & { readonly jobs: Jobs },
  dataset: DatasetRecord,
  { formats, asker }: { readonly formats: readonly DumpFormat[]; readonly asker: string },
): Promise<DatasetRecord> {
  if (formats.length === 0) return dataset
  const { tableUuid } = dataset
  const found = await deps.catalog.datasets.prepare({ tableUuid, add: formats })
  if (found?.state !== 'ready' || isUnfinished(found)) return found ?? dataset
  for (const format of formats) {
    try {
      const target = await targetOf(deps, found, format)
      const isMade = (await deps.dumpService().dumps.find(target)) !== undefined
      if (!isMade) await askForDump(deps.jobs, target, asker)
    } catch (error) {
      if (!isLasting(error)) throw error
    }
  }
  return found
}

/** What `download` sends for the format. */
async function targetOf(
  deps: FormatDependencies,
  dataset: DatasetRecord,
  format: DumpFormat,
): Promise<DumpTarget> {
  const { tableUuid } = dataset
  const selector = { snapshotIdentifier: String(await ownSnapshotOf(deps, dataset)) }
  const choice = { format, compression: 'none' } as const
  const policyOn = () => undefined
  return await getDumpTarget(deps.dumpService(), {
    table: tableUuid,
    selector,
    policyOn,
    ...choice,
  })
}

/** A later release may know others. */
function isFormat(text: string): text is DumpFormat {
  return DUMP_FORMATS.some((format) => format === text)
}
