import type { Recorder } from '../serializability/recorder.ts'
import { TABLES } from '../serializability/storm.ts'
import {
  endsWithSome,
  findLosses,
  type IsThere,
  neverDone,
  type StormResult,
  stormPurges,
} from './purge-storm.ts'

const CLIENTS = 4
const MADE = 3
/** Else there were none beside the storm. */
const SOME = ['add 200', 'clone 201', 'drop now 200']

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
  const isOver = endsWithSome(SOME, setting.isOver)
  const others = { tables: TABLES, paths }
  return stormPurges({ ...setting, isOver, clients: CLIENTS, tables: MADE, others })
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
  isThere?: IsThere,
): Promise<readonly unknown[]> {
  process.stdout.write(`purges beside it: ${JSON.stringify(counts)}\n`)
  const { losses } = await findLosses(url, TABLES, isThere)
  return [...surprises, ...losses, ...neverDone(SOME, counts).map((key) => `never: ${key}`)]
}

/** The last ones: older ones were tried. */
const RECENT = 50

function committedPaths({ operations }: Recorder): readonly string[] {
  return operations
    .slice(-RECENT)
    .filter(({ outcome }) => outcome === 'committed')
    .flatMap(({ changes }) => changes.flatMap(({ added }) => added.map(({ path }) => path)))
}
