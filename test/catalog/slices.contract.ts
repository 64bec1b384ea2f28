import { randomUUID } from 'node:crypto'
import type { CompiledQuery, KyselyPlugin, QueryResult, UnknownRow } from 'kysely'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { NewDataset } from '../../src/catalog/dataset-store.ts'
import type { NewDeletion } from '../../src/catalog/deletion-store.ts'
import type { SqlEngine } from '../../src/catalog/sql/engine/sql-engine.ts'
import { sqlCatalog } from '../../src/catalog/sql/sql-catalog.ts'
import { SqlLeases } from '../../src/catalog/sql/sql-leases.ts'
import { SqliteTurns } from '../../src/catalog/sqlite/sqlite-turns.ts'
import type { NewTable } from '../../src/catalog/table-store.ts'
import type { TableState } from '../../src/core/table/table.ts'
import { appendTo, newTable, snapshotOf, stateOf } from './catalog-samples.ts'

const FILES = 5_100
/** A slice, and the rows of one table. */
const ROWS_MAX = 2_100
const NOW_MS = 1_000_000
/** More than any of these writes has. */
const TRANSACTIONS_MAX = 40
const LONG_MS = 240_000
const paths = Array.from({ length: FILES }, (_, i) => `file:///data/${i}.parquet`)

const CARD = { title: 'T', description: null, creators: [], license: null, keywords: [] }
const FACTS = { rows: 3, files: 1, bytes: 9, snapshotAtMs: 2_000, schemaId: 0, columns: [] }

/** Told of each transaction before it begins: the first is 0. */
type Before = (transaction: number) => Promise<void> | void

interface Opened {
  readonly catalog: Catalog
  /** Another process. */
  readonly other: Catalog
  /** Rows that were inserted, changed or deleted, of each transaction that has ended. */
  readonly rows: readonly number[]
}

class RowCounter implements KyselyPlugin {
  rows = 0
  transformQuery({ node }: Parameters<KyselyPlugin['transformQuery']>[0]) {
    return node
  }
  async transformResult({ result }: { result: QueryResult<UnknownRow> }) {
    this.rows += Number(result.numAffectedRows ?? 0n)
    return result
  }
}

/**
 * Creations, clones, drops and commits of tables of very many files: no transaction is long, and
 * whatever comes between two of them finds nothing wrong. `open` returns an engine, and another
 * over the same database.
 */
export function describeSlices(open: () => Promise<readonly [SqlEngine, SqlEngine]>): void {
  let before: Before = () => undefined
  let opened: Opened
  let restart = (): void => undefined

  beforeEach(async () => {
    before = () => undefined
    const [engine, another] = await open()
    const rows: number[] = []
    let count = 0
    const told = tellingEngine(engine, { rows, before: () => before(count++) })
    opened = { catalog: catalogOf(told), other: catalogOf(another), rows }
    await opened.other.migrate()
    await opened.catalog.migrate()
    restart = () => {
      count = 0
      rows.length = 0
    }
  })
  afterEach(async () => {
    await opened.catalog.close()
    await opened.other.close()
  })

  const known = async (tableUuid: string) =>
    (await opened.other.paths.findKnown(tableUuid, paths)).size
  const isThere = async (tableUuid: string) =>
    (await opened.other.tables.find({ tableUuid })) !== undefined
  const due = async () =>
    (await opened.other.deletions.listDue({ nowMs: NOW_MS, limit: 2 * FILES })).length
  const create = async (table: NewTable, catalog = opened.other): Promise<TableState> => {
    expect(await catalog.tables.create(table)).toBe('created')
    return table.state
  }
  const large = (state = stateOf('planets')): NewTable => newTable(state, { addedPaths: paths })
  const cloneOf = ({ definition }: TableState): NewTable =>
    newTable(stateOf('clone'), { copyPathsFromTableUuid: definition.tableUuid })
  const purgeOf = ({ definition: { tableUuid }, version }: TableState) => {
    const rest = { tableUuid, mark: `v${version}`, reason: 'purge', dueAtMs: NOW_MS } as const
    const deletions = paths.map((path): NewDeletion => ({ path, ...rest }))
    return { tableUuid, expectedVersion: version, deletions }
  }
  const plainDropOf = ({ definition: { tableUuid }, version }: TableState) => ({
    tableUuid,
    expectedVersion: version,
  })
  const back = (state: TableState): TableState => ({ ...state, version: state.version + 1 })

  describe('the slices of large writes', () => {
    test('no transaction has many rows', async () => {
      const { tables } = opened.catalog
      const steps: [string, () => Promise<unknown>, unknown][] = []
      const state = stateOf('planets')
      const again = back(state)
      const third = back(again)
      const grown = appendTo(
        third,
        1n,
        paths.map((path) => `${path}.more`),
      )
      steps.push(
        ['create', () => tables.create(large(state)), 'created'],
        ['clone', () => tables.create(cloneOf(state)), 'created'],
        ['purge', () => tables.drop(purgeOf(state)), 'dropped'],
        ['create again', () => tables.create(large(again)), 'created'],
        [
          'replace',
          () => tables.replace({ ...plainDropOf(again), table: large(third) }),
          'created',
        ],
        [
          'commit',
          () => tables.commit({ tables: [grown], transactions: [] }),
          { outcome: 'committed' },
        ],
        ['drop', () => tables.drop(plainDropOf(grown.state)), 'dropped'],
      )
      for (const [what, write, outcome] of steps) {
        restart()
        expect([what, await write()]).toEqual([what, outcome])
        expect(opened.rows.length).toBeGreaterThan(FILES / ROWS_MAX)
        expect([what, opened.rows.filter((rows) => rows > ROWS_MAX)]).toEqual([what, []])
      }
    })

    test('nor has one of a dataset', async () => {
      const { datasets } = opened.catalog
      const source = await create(large(stateOf('source')))
      const table = cloneOf(source)
      const { tableUuid } = table.state.definition
      const dataset: NewDataset = {
        ...{ tableUuid, name: 'frozen', identity: 'i', snapshotId: 1n, card: CARD, facts: FACTS },
        ...{ sourceUuid: source.definition.tableUuid, sourceName: 'sky.source', query: undefined },
        ...{ table, createdAtMs: NOW_MS, expiresAtMs: undefined },
      }
      restart()
      expect(await datasets.create(dataset)).toMatchObject({ outcome: 'created' })
      expect(opened.rows.length).toBeGreaterThan(FILES / ROWS_MAX)
      const { deletions } = purgeOf(table.state)
      expect(await datasets.end({ tableUuid, nowMs: NOW_MS, deletions })).toBe('changed')
      expect(opened.rows.length).toBeGreaterThan((3 * FILES) / ROWS_MAX)
      expect(opened.rows.filter((rows) => rows > ROWS_MAX)).toEqual([])
      expect(await due()).toBe(FILES)
    })

    /** Ends the process, so to speak, before each transaction in turn. */
    const cutOff = async (
      prepare: () => Promise<() => Promise<unknown>>,
      check: (isDone: boolean) => Promise<void>,
    ): Promise<void> => {
      for (let cut = 0; cut < TRANSACTIONS_MAX; cut++) {
        const write = await prepare()
        restart()
        before = (transaction) => {
          if (transaction >= cut) throw new Error('killed')
        }
        const isDone = await write().then(
          () => true,
          () => false,
        )
        const isWhole = isDone && opened.rows.length < cut
        before = () => undefined
        await check(isDone)
        if (isWhole) return
      }
      throw new Error('it never ended')
    }

    test.each(['create', 'clone'] as const)(
      'a %s that is cut off is no table, and what it has made known goes',
      async (how) => {
        const source = await create(large(stateOf('source')))
        let table = large()
        await cutOff(
          async () => {
            table = how === 'clone' ? cloneOf(source) : large()
            return () => opened.catalog.tables.create(table)
          },
          async (isDone) => {
            const { tableUuid } = table.state.definition
            if (!isDone && !(await isThere(tableUuid))) {
              await opened.other.paths.forgetLeftovers()
              expect(await known(tableUuid)).toBe(0)
              await create(table)
            }
            expect(await known(tableUuid)).toBe(FILES)
            await opened.other.paths.forgetLeftovers()
            expect(await known(tableUuid)).toBe(FILES)
            await opened.other.tables.drop(plainDropOf(table.state))
            expect(await known(tableUuid)).toBe(0)
          },
        )
      },
      LONG_MS,
    )

    test(
      'a purge that is cut off deletes all of its files, or nothing, ever',
      async () => {
        let state = stateOf('planets')
        await cutOff(
          async () => {
            state = await create(large())
            return () => opened.catalog.tables.drop(purgeOf(state))
          },
          async () => {
            const { tableUuid } = state.definition
            await opened.other.paths.forgetLeftovers()
            if (await isThere(tableUuid)) {
              expect(await due()).toBe(0)
              expect(await known(tableUuid)).toBe(FILES)
              // Nobody has asked for the deletion of its files.
              await opened.other.tables.drop(plainDropOf(state))
              expect([await due(), await opened.other.deletions.count(tableUuid)]).toEqual([0, 0])
            } else {
              expect([await due(), await known(tableUuid)]).toEqual([FILES, 0])
              await create(newTable(back(state)))
              await opened.other.tables.drop(plainDropOf(back(state)))
            }
            expect(await due()).toBe(0)
            await opened.other.deletions.forgetVoid(NOW_MS + 1)
            const rest = await opened.other.deletions.listDue({ nowMs: 2 * NOW_MS, limit: 9 })
            expect(rest).toEqual([])
          },
        )
      },
      LONG_MS,
    )

    test('of two purges of one version, whichever drops it deletes all of its files', async () => {
      const state = await create(large())
      let isLate = false
      before = async () => {
        if (isLate) return
        isLate = true
        expect(await opened.other.tables.drop(purgeOf(state))).toBe('dropped')
      }
      expect(await opened.catalog.tables.drop(purgeOf(state))).toBe('not-found')
      expect(await due()).toBe(FILES)
    })

    test(
      'a creation whose paths are swept in between begins again',
      async () => {
        const source = await create(large(stateOf('source')))
        for (const first of [large(), cloneOf(source)]) {
          let table = first
          for (const often of [1, 9]) {
            for (let at = 1; at < 5; at += often) {
              restart()
              let left = often
              before = async (transaction) => {
                if (transaction < at || left === 0) return
                left -= 1
                await opened.other.paths.forgetLeftovers()
              }
              await create(table, opened.catalog)
              before = () => undefined
              await opened.other.paths.forgetLeftovers()
              expect(await known(table.state.definition.tableUuid)).toBe(FILES)
              await opened.other.tables.drop(plainDropOf(table.state))
              table = { ...table, state: back(table.state) }
            }
          }
        }
      },
      LONG_MS,
    )

    test(
      'a table that comes back while what it knew is forgotten knows its own',
      async () => {
        for (let at = 1; at < 8; at++) {
          const state = await create(large())
          const { tableUuid } = state.definition
          restart()
          const again = newTable(back(state), { addedPaths: paths.slice(0, 3) })
          before = async (transaction) => {
            if (transaction === at && !(await isThere(tableUuid))) await create(again)
          }
          expect(await opened.catalog.tables.drop(plainDropOf(state))).toBe('dropped')
          before = () => undefined
          if (!(await isThere(tableUuid))) await create(again)
          await opened.other.paths.forgetLeftovers()
          const own = await opened.other.paths.findKnown(tableUuid, paths.slice(0, 3))
          expect(own.size).toBe(3)
          await opened.other.tables.drop(plainDropOf(again.state))
          await opened.other.paths.forgetLeftovers()
          expect(await known(tableUuid)).toBe(0)
        }
      },
      LONG_MS,
    )

    test(
      'a clone whose source goes and comes back in between has all, or is refused',
      async () => {
        for (let at = 1; at < 6; at++) {
          let source = await create(large(stateOf('source')))
          const table = cloneOf(source)
          restart()
          before = async (transaction) => {
            if (transaction !== at) return
            await opened.other.tables.drop(plainDropOf(source))
            source = back(source)
            await create(large(source))
          }
          await create(table, opened.catalog)
          before = () => undefined
          expect(await known(table.state.definition.tableUuid)).toBe(FILES)
          for (const { state } of [{ state: source }, table]) {
            await opened.other.tables.drop(plainDropOf(state))
          }
        }
      },
      LONG_MS,
    )

    test('a large table takes what it names from deletion, or is refused', async () => {
      const [first, last] = [paths[0] as string, paths.at(-1) as string]
      const doomed = (path: string): NewDeletion => ({
        ...{ path, tableUuid: randomUUID(), mark: 'm', reason: 'purge', dueAtMs: NOW_MS },
      })
      await opened.other.deletions.add([doomed(first), doomed('file:///elsewhere')])
      const state = await create(large(), opened.catalog)
      expect(await due()).toBe(1)
      await opened.other.tables.drop(plainDropOf(state))
      await opened.other.deletions.add([doomed(last)])
      const deletions = await opened.other.deletions.listDue({ nowMs: NOW_MS, limit: 9 })
      await opened.other.deletions.beginUnlinking({
        ...{ deletions, examinedTableUuids: new Set(), nowMs: NOW_MS, dueAtMs: NOW_MS + 1 },
      })
      const refused = opened.catalog.tables.create(large(back(state)))
      await expect(refused).rejects.toMatchObject({ deletions: [{ path: last }] })
      expect(await known(state.definition.tableUuid)).toBe(0)
    })

    test('a clone of one that may name any path may, too', async () => {
      const source = { ...large(stateOf('source')), mayNameAnyPath: true }
      await create(source)
      const sourceUuid = source.state.definition.tableUuid
      const clone = await create(cloneOf(source.state), opened.catalog)
      const unkeyed = await opened.other.paths.listUnkeyed(9)
      expect([...unkeyed].sort()).toEqual([sourceUuid, clone.definition.tableUuid].sort())
    })

    test('a clone of a snapshot that went in between is refused, and leaves nothing', async () => {
      const source = await create(large(stateOf('source')))
      const table = { ...cloneOf(source), snapshots: [snapshotOf(5n)] }
      const refused = opened.catalog.tables.create(table)
      await expect(refused).rejects.toMatchObject({ code: 'snapshot-not-found' })
      expect(await known(table.state.definition.tableUuid)).toBe(0)
    })
  })
}

function catalogOf(engine: SqlEngine): Catalog {
  return sqlCatalog(engine, { turns: new SqliteTurns(new SqlLeases(engine)) })
}

function tellingEngine(
  engine: SqlEngine,
  { rows, before }: { readonly rows: number[]; readonly before: () => Promise<void> | void },
): SqlEngine {
  return {
    ...engine,
    transact: async (work, options) => {
      await before()
      const counter = new RowCounter()
      const result = await engine.transact((transaction) => {
        counter.rows = 0
        return work(transaction.withPlugin(counter))
      }, options)
      rows.push(counter.rows)
      return result
    },
    // One by one, so that all rows are counted.
    runTogether: async (transaction, statements) => {
      let last: readonly unknown[] = []
      for (const statement of statements) {
        const compiled: CompiledQuery = statement.compile()
        last = (await transaction.executeQuery(compiled)).rows
      }
      return last
    },
  }
}
