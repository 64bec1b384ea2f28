import type { Catalog } from '../../src/catalog/catalog.ts'

/** Leaves of a data file what another writer's commit does: nobody has said what its footer was. */
export async function forgetFooter(
  { tables }: Pick<Catalog, 'tables'>,
  name: string,
  path: string,
): Promise<void> {
  const state = await tables.find({ namespace: ['default'], name })
  if (state === undefined) throw new Error(`no table ${name}`)
  const { version } = state
  const commit = { newSnapshots: [], newLogEntries: [], addedPaths: [path] }
  const changed = { ...commit, expectedVersion: version, state: { ...state, version: version + 1 } }
  expect((await tables.commit({ tables: [changed], transactions: [] })).outcome).toBe('committed')
}
