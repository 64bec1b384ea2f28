import type { Recorder } from '../serializability/recorder.ts'
import { TABLES } from '../serializability/storm.ts'
import { findLosses, type StormResult, stormPurges } from './purge-storm.ts'

const CLIENTS = 4
/** Else there were none beside the storm. */
const SOME = ['add 200', 'clone 201', 'drop now 200']
/** How long they go on by themselves until then. */
const PATIENCE_MS = 120_000

export interface PurgesBeside {
  urls(): readonly string[]
  ready(): Promise<void>
  isOver(): boolean
  readonly bytes: Uint8Array
  readonly hasKills: boolean
  readonly recorder: Recorder
  /** Where the storm writes its files. */
  readonly folder: string
}

/**
 * Purges, drops and clones of others beside a storm: these clone its tables, and add files of its
 * acknowledged commits to tables of their own, in any spelling, that they then purge.
 */
export function purgeBeside({ recorder, ...setting }: PurgesBeside): Promise<StormResult> {
  const paths = () => committedPaths(recorder)
  let latest = Number.POSITIVE_INFINITY
  const isOver = (counts: StormResult['counts']) => {
    if (!setting.isOver()) return false
    latest = Math.min(latest, performance.now() + PATIENCE_MS)
    return neverDone(counts).length === 0 || performance.now() > latest
  }
  return stormPurges({ ...setting, isOver, clients: CLIENTS, others: { tables: TABLES, paths } })
}

function neverDone(counts: StormResult['counts']): readonly string[] {
  return SOME.filter((key) => (counts[key] ?? 0) === 0)
}

/** A table above the files of the storm: without one nobody would delete them. */
export async function ownFolder(url: string, folder: string): Promise<void> {
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  const response = await fetch(`${url}/v1/tables`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'above', location: `file://${folder}`, schema }),
  })
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`)
}

/** What went wrong: nothing, in tables of either storm. */
export async function wrongAfter(
  url: string,
  { counts, surprises }: StormResult,
): Promise<readonly unknown[]> {
  process.stdout.write(`purges beside it: ${JSON.stringify(counts)}\n`)
  const { losses } = await findLosses(url, TABLES)
  return [...surprises, ...losses, ...neverDone(counts).map((key) => `never: ${key}`)]
}

/** The last ones: older ones were tried. */
const RECENT = 50

function committedPaths({ operations }: Recorder): readonly string[] {
  return operations
    .slice(-RECENT)
    .filter(({ outcome }) => outcome === 'committed')
    .flatMap(({ changes }) => changes.flatMap(({ added }) => added.map(({ path }) => path)))
}
