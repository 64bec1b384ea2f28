import { invalidUpdate, shortened } from './update-problem.ts'
import type { ViewLogEntry, ViewVersion } from './view-metadata.ts'

const HISTORY_SIZE = 'version.history.num-entries'
const HISTORY_SIZE_DEFAULT = 10
const DROP_DIALECT_ALLOWED = 'replace.drop-dialect.allowed'

type Properties = Readonly<Record<string, string>>

/**
 * Checks that a new version covers all dialects of the old one: replaced in one dialect only, a
 * query would return different results in the others.
 */
export function checkDialectsKept(
  previous: ViewVersion,
  current: ViewVersion,
  properties: Properties,
): void {
  if (findProperty(properties, DROP_DIALECT_ALLOWED)?.toLowerCase() === 'true') return
  const before = dialectsOf(previous)
  const after = dialectsOf(current)
  if (before.every((dialect) => after.includes(dialect))) return
  throw invalidUpdate(
    `Cannot replace view due to loss of view dialects (${DROP_DIALECT_ALLOWED}=false):\n` +
      `Previous dialects: [${shortened(before.join(', '))}]\n` +
      `New dialects: [${shortened(after.join(', '))}]`,
  )
}

/**
 * Keeps the current version, those just added, and the newest of the others up to the number that
 * the properties say. The log restarts after an entry whose version is gone, because it must have
 * no gaps.
 */
export function expireVersions(view: {
  readonly versions: readonly ViewVersion[]
  readonly log: readonly ViewLogEntry[]
  readonly currentVersionId: number
  readonly addedVersionIds: ReadonlySet<number>
  readonly properties: Properties
}): { readonly versions: readonly ViewVersion[]; readonly versionLog: readonly ViewLogEntry[] } {
  const { log, currentVersionId, addedVersionIds } = view
  const versions = [...view.versions].sort((left, right) => left.versionId - right.versionId)
  const protectedIds = new Set([...addedVersionIds, currentVersionId])
  const keptMax = Math.max(protectedIds.size, historySizeOf(view.properties))
  if (versions.length <= keptMax) return { versions, versionLog: log }

  const keptIds = new Set(protectedIds)
  for (const { versionId } of versions.toReversed()) {
    if (keptIds.size < keptMax) keptIds.add(versionId)
  }
  const firstKept = log.findLastIndex(({ versionId }) => !keptIds.has(versionId)) + 1
  return {
    versions: versions.filter(({ versionId }) => keptIds.has(versionId)),
    versionLog: log.slice(firstKept),
  }
}

function historySizeOf(properties: Properties): number {
  const text = findProperty(properties, HISTORY_SIZE)
  if (text === undefined) return HISTORY_SIZE_DEFAULT
  const size = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (size > 0) return size
  throw invalidUpdate(`${HISTORY_SIZE} must be positive but was ${shortened(text)}`)
}

function findProperty(properties: Properties, key: string): string | undefined {
  return Object.hasOwn(properties, key) ? properties[key] : undefined
}

function dialectsOf({ representations }: ViewVersion): readonly string[] {
  return representations.map(({ dialect }) => dialect.toLowerCase())
}
