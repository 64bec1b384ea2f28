import fc from 'fast-check'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { CatalogEvent } from '../../src/catalog/event-store.ts'
import type { CatalogCommit, TableCommit } from '../../src/catalog/table-store.ts'
import type { TableState } from '../../src/core/table/table.ts'
import {
  appendTo,
  newTable,
  type OpenedCatalog,
  openTransaction,
  stateOf,
} from './catalog-samples.ts'

const TABLES = 3
const WRITERS = 4
const NUM_RUNS = Number(process.env['MORAINE_TEST_RUNS'] ?? 6)

/**
 * One change that a writer attempts, on a table by its number; `shared` is how many transactions
 * share it.
 */
interface Step {
  readonly kind: 'append' | 'both' | 'create' | 'drop' | 'read' | 'rename' | 'replace'
  readonly table: number
  readonly shared: number
}

const kind = fc.oneof(
  { weight: 8, arbitrary: fc.constant('append' as const) },
  { weight: 3, arbitrary: fc.constant('create' as const) },
  { weight: 5, arbitrary: fc.constantFrom('both', 'drop', 'read', 'rename', 'replace') },
)
const step: fc.Arbitrary<Step> = fc.record({
  kind: kind as fc.Arbitrary<Step['kind']>,
  table: fc.nat(TABLES - 1),
  shared: fc.nat(3),
})
const steps = fc.array(step, { minLength: 6, maxLength: 14 })
const writers = fc.array(steps, { minLength: WRITERS, maxLength: WRITERS })

let snapshotIds = 1n

/** Follows the log from its cursor on, in small pages. */
class Reader {
  readonly #catalog: Catalog
  readonly seen: CatalogEvent[] = []
  #after: bigint

  constructor(catalog: Catalog, after: bigint) {
    this.#catalog = catalog
    this.#after = after
  }

  async read(limit = 3): Promise<void> {
    for (;;) {
      const page = await this.#catalog.events.list({ after: this.#after, limit })
      this.seen.push(...page.events)
      this.#after = page.nextAfter
      if (page.nextAfter === page.last) return
    }
  }
}

/** Each version that a table was seen to get by those who changed it, as `uuid version type`. */
type Told = string[]

export function describeEventOrder(opened: () => OpenedCatalog): void {
  const opening = async (): Promise<Catalog> => {
    const { openAnother } = opened()
    if (openAnother === undefined) throw new Error('the catalog is not shared')
    return openAnother()
  }

  test('a reader sees every change once, in the order of each table', async () => {
    const catalogs = await Promise.all(Array.from({ length: WRITERS }, opening))
    try {
      await fc.assert(
        fc.asyncProperty(writers, async (scripts) => {
          const first = stateOf('t')
          const uuids = Array.from({ length: TABLES }, () => stateOf('u').definition)
          const { last } = await opened().catalog.events.findRange()
          const told: Told = []
          const readers = catalogs.map((catalog) => new Reader(catalog, last))
          const run = async (script: readonly Step[], index: number) => {
            const catalog = catalogs[index] as Catalog
            for (const each of script) {
              if (each.kind === 'read') await readers[index]?.read()
              else await attempt(catalog, each, { told, uuids, first })
            }
          }
          const follower = new Reader(catalogs[0] as Catalog, last)
          let isOver = false
          const following = (async () => {
            while (!isOver) await follower.read(2)
          })()
          await Promise.all(scripts.map(run))
          isOver = true
          await following
          for (const reader of [follower, ...readers]) {
            await reader.read()
            requireOrder(reader.seen)
            expect(namesOf(reader.seen).sort()).toEqual([...told].sort())
          }
          for (const { seen } of readers) expect(seen).toEqual(follower.seen)
          for (const definition of uuids) await dropAny(opened().catalog, definition.tableUuid)
        }),
        { numRuns: NUM_RUNS, endOnFailure: true },
      )
    } finally {
      for (const catalog of catalogs) await catalog.close()
    }
  }, 300_000)
}

interface Scene {
  readonly told: Told
  readonly uuids: readonly TableState['definition'][]
  readonly first: TableState
}

type Attempt = (catalog: Catalog, state: TableState, step: Step) => Promise<readonly TableState[]>

async function attempt(catalog: Catalog, each: Step, { told, uuids, first }: Scene): Promise<void> {
  const definition = uuids[each.table] as TableState['definition']
  const { tableUuid } = definition
  const tell = (state: TableState, type: string) =>
    told.push(`${state.definition.tableUuid} ${state.version} ${type}`)
  if (each.kind === 'create') {
    const created = { ...first, name: `t${each.table}`, definition }
    if ((await catalog.tables.create(newTable(created))) === 'created') tell(created, 'created')
    return
  }
  const state = await catalog.tables.find({ tableUuid })
  if (state === undefined) return
  const expected = { tableUuid, expectedVersion: state.version }
  const dropped = { ...state, version: state.version + 1 }
  if (each.kind === 'drop') {
    if ((await catalog.tables.drop(expected)) === 'dropped') tell(dropped, 'dropped')
    return
  }
  if (each.kind === 'replace') {
    // In place of itself: the UUID stays, and its versions begin again.
    const again = { ...first, name: state.name, definition: state.definition }
    const replacement = { ...expected, table: newTable(again) }
    if ((await catalog.tables.replace(replacement)) !== 'created') return
    tell(dropped, 'dropped')
    tell(again, 'replaced')
    return
  }
  const changed = await COMMITS[each.kind]?.(catalog, state, each)
  for (const made of changed ?? []) tell(made, 'changed')
}

const COMMITS: Partial<Record<Step['kind'], Attempt>> = {
  async append(catalog, state, { shared }) {
    const transactions = Array.from({ length: shared }, () => ({
      transaction: openTransaction(),
      isNew: true,
    }))
    return commit(catalog, [appendTo(state, snapshotIds++)], transactions)
  },
  async both(catalog, state) {
    const [other] = await catalog.tables.list({ namespace: ['sky'], limit: 1 })
    const states = [state]
    if (other !== undefined && other.tableUuid !== state.definition.tableUuid) {
      states.push(...[await catalog.tables.find(other)].flatMap((found) => found ?? []))
    }
    return commit(
      catalog,
      states.map((each) => appendTo(each, snapshotIds++)),
    )
  },
  rename(catalog, state) {
    const renamed = { ...state, version: state.version + 1, name: `${state.name}x` }
    const nothing = { newSnapshots: [], newLogEntries: [], addedPaths: [] }
    return commit(catalog, [{ expectedVersion: state.version, state: renamed, ...nothing }])
  },
}

/** Returns the states that it made: none when it lost a race. */
async function commit(
  catalog: Catalog,
  tables: readonly TableCommit[],
  transactions: CatalogCommit['transactions'] = [],
): Promise<readonly TableState[]> {
  const { outcome } = await catalog.tables.commit({ tables, transactions })
  return outcome === 'committed' ? tables.map(({ state }) => state) : []
}

async function dropAny(catalog: Catalog, tableUuid: string): Promise<void> {
  const state = await catalog.tables.find({ tableUuid })
  if (state !== undefined) await catalog.tables.drop({ tableUuid, expectedVersion: state.version })
}

function namesOf(seen: readonly CatalogEvent[]): string[] {
  return seen
    .filter(({ type }) => type.startsWith('moraine.table.'))
    .map(({ subject, version, type }) => {
      // An append to a table that was renamed and replaced since it was read may rename it back.
      const kind = type.split('.')[2]?.replace(/^(committed|renamed)$/, 'changed')
      return `${subject} ${version} ${kind}`
    })
}

/**
 * Positions grow without a gap; each table begins with version 0 and goes on by one until it is
 * dropped.
 */
function requireOrder(seen: readonly CatalogEvent[]): void {
  const next = new Map<string, number>()
  for (const [index, { position, subject, version, type }] of seen.entries()) {
    expect(position).toBe((seen[0]?.position ?? 0n) + BigInt(index))
    if (!type.startsWith('moraine.table.')) continue
    expect([subject, version]).toEqual([subject, next.get(subject) ?? 0])
    next.set(subject, type === 'moraine.table.dropped.v1' ? 0 : version + 1)
  }
}
