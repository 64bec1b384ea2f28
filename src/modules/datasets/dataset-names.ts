import type { DatasetRecord } from '../../catalog/dataset-store.ts'
import { CodedError } from '../../core/errors.ts'
import { nameOfPrincipal } from '../../http/authorizer.ts'
import type { Call } from '../../http/route.ts'
import { ProblemError } from '../../problem/problems.ts'
import { isLiving } from './end-dataset.ts'

/** Who asks, and whether they may. */
export type Asker = Pick<Call<unknown, unknown>, 'authorize' | 'principal'>

/** Refusals of `authorize`. */
const REFUSALS: readonly string[] = ['permission-denied', 'table-not-found', 'table-restricted']

/**
 * Throws `dataset-name-taken` unless the name is free or theirs: a version that was published, or
 * else the newest that lives, belongs to who has `own` on it; one that is not published to who made
 * it, too. The address of the newest version leads to nobody else's data.
 */
export async function requireOwnName(
  /** All of the name, the newest first. */
  versions: readonly DatasetRecord[],
  { nowMs, asker }: { readonly nowMs: number; readonly asker: Asker },
): Promise<void> {
  const taken =
    versions.find(({ publishedAtMs }) => publishedAtMs !== undefined) ??
    versions.find((version) => isLiving(version, nowMs))
  if (taken === undefined) return
  const { name, publishedAtMs, endedAtMs, createdBy, securable, sourceUuid } = taken
  if (publishedAtMs === undefined && createdBy === nameOfPrincipal(asker.principal)) return
  const owned = endedAtMs === undefined ? securable : sourceUuid
  try {
    await asker.authorize('own', [{ on: 'table', name: owned }])
  } catch (error) {
    if (!(error instanceof CodedError) || !REFUSALS.includes(error.code)) throw error
    throw new ProblemError(
      'dataset-name-taken',
      `The name ${name} belongs to somebody else: choose another one`,
      { facts: { dataset: name } },
    )
  }
}
