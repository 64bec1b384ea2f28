import { createHash } from 'node:crypto'
import { DIALECT_VERSION } from '../dumps/format/dialect-version.ts'
import { readingOf } from '../rows/query-source.ts'

/**
 * The version of what decides the rows of datasets: a new one makes new datasets. Raised as that of
 * dumps is, where rows are read otherwise and no dump is.
 */
const WRITER = [2, DIALECT_VERSION]
const NAME_DIGITS = 24
const AUTOMATIC = /^ds-[0-9a-f]{24}$/i

type Source = Parameters<typeof readingOf>[0]

/**
 * SHA-256 in hexadecimal. The same rows were asked for if, and only if, it is the same. The query
 * is canonical, as it is kept; `undefined`: the whole snapshot.
 */
export function identityOf(source: Source, query: unknown): string {
  return digestOf([readingOf(source), query ?? null, WRITER])
}

/** The same of a text over several snapshots. */
export function identityOfSql(canonical: string, sources: readonly Source[]): string {
  return digestOf(['sql', canonical, sources.map(readingOf), WRITER])
}

/** How sources are read, for whoever reads them later: to other rows where it differs. */
export function readingDigestOf(sources: readonly Source[]): string {
  return digestOf(sources.map(readingOf))
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
