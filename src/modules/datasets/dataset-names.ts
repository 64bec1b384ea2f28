import type { Stores } from '../../catalog/catalog.ts'
import type { DatasetRecord } from '../../catalog/dataset-store.ts'
import { nameOfPrincipal } from '../../http/authorizer.ts'
import type { Call } from '../../http/route.ts'
import { ProblemError } from '../../problem/problems.ts'
import { isLiving } from './end-dataset.ts'
import { isVisible } from './find-dataset.ts'

/** Who asks, and whether they may. */
export type Asker = Pick<Call<unknown, unknown>, 'authorize' | 'authorizeFound' | 'principal'>

/**
 * Throws `dataset-name-taken` unless the name is free or theirs: a version that was published, or
 * else the newest that lives, belongs to who has `own` on it; one that is not published to who made
 * it, too. The address of the newest version leads to nobody else's data.
 */
export async function requireOwnName(
  { catalog }: Stores<'datasets'>,
  name: string,
  { nowMs, asker }: { readonly nowMs: number; readonly asker: Asker },
): Promise<void> {
  const published = await catalog.datasets.find({ name, isPublished: true })
  if (published !== undefined) return requireOwn(published, asker)
  const newest = await catalog.datasets.find({ name, nowMs })
  if (newest === undefined || !isLiving(newest, nowMs)) return
  const { principal } = asker
  // Whoever does not sign in may be anybody.
  const isKnown = principal.kind !== 'anonymous'
  if (isKnown && newest.createdBy === nameOfPrincipal(principal)) return
  await requireOwn(newest, asker)
}

/** Throws `dataset-name-taken` unless what was published by the name is theirs. */
export async function requireOwnPublished(
  { catalog }: Stores<'datasets'>,
  name: string,
  asker: Asker,
): Promise<void> {
  const published = await catalog.datasets.find({ name, isPublished: true })
  if (published !== undefined) await requireOwn(published, asker)
}

async function requireOwn(taken: DatasetRecord, { authorize }: Asker): Promise<void> {
  const { name } = taken
  if (await isVisible(taken, { dataset: name }, { authorize, privilege: 'own' })) return
  throw nameTaken(name)
}

export function nameTaken(name: string): ProblemError {
  return new ProblemError(
    'dataset-name-taken',
    `The name ${name} belongs to somebody else: choose another one`,
    { facts: { dataset: name } },
  )
}
