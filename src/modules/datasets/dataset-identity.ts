import { createHash } from 'node:crypto'

/** The version of what writes the rows of filtered datasets: a new version makes new datasets. */
const WRITER_VERSION = 1
const NAME_DIGITS = 24
const AUTOMATIC = /^ds-[0-9a-f]{24}$/i

/** Everything that decides the rows of a dataset. */
export interface DatasetOrigin {
  readonly sourceUuid: string
  readonly snapshotId: bigint
  readonly schemaId: number
  /** Canonical, as it is kept; `undefined`: the whole snapshot. */
  readonly query: unknown
}

/** SHA-256 in hexadecimal. The same rows were asked for if, and only if, it is the same. */
export function identityOf({ sourceUuid, snapshotId, schemaId, query }: DatasetOrigin): string {
  return digestOf([sourceUuid, String(snapshotId), schemaId, query ?? null, WRITER_VERSION])
}

/** The same of a text over several snapshots. */
export function identityOfSql(
  canonical: string,
  sources: readonly Omit<DatasetOrigin, 'query'>[],
): string {
  const read = sources.map((each) => [each.sourceUuid, String(each.snapshotId), each.schemaId])
  return digestOf(['sql', canonical, read, WRITER_VERSION])
}

function digestOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** What a dataset is called that nobody gave a name; from 1 on, what others like it are called. */
export function automaticName(identity: string, nth = 0): string {
  const digits = nth === 0 ? identity : digestOf([identity, nth])
  return `ds-${digits.slice(0, NAME_DIGITS)}`
}

/** Whether it is such a name, which nobody may give. */
export function isAutomaticName(name: string): boolean {
  return AUTOMATIC.test(name)
}
