import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import { SourceConflictError } from '../../../src/sources/row-source.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { refusal } from '../../refusal.ts'
import {
  archivedIds,
  type ExportParts,
  exportParts,
  openTestSource,
  runOf,
  SIGNAL,
  sourceAt,
  sourceOfRole,
  type TestSource,
} from './export-runs.ts'

const ROLE = `keeper_${randomUUID().replaceAll('-', '')}`

describeWithPostgres('what a deletion deletes', () => {
  let opened: TestSource
  let home: string
  let deps: ExportParts
  beforeAll(async () => {
    opened = await openTestSource()
    const { port, pathname } = new URL(opened.url)
    await opened.client.query(
      `create role ${ROLE} login password 'secret'; create extension postgres_fdw; ` +
        'create server loop foreign data wrapper postgres_fdw ' +
        `options (host '127.0.0.1', port '${port}', dbname '${pathname.slice(1)}'); ` +
        "create user mapping for current_user server loop options (user 'moraine')",
    )
  })
  afterAll(async () => {
    await opened.client.query(`drop owned by ${ROLE}; drop role ${ROLE}`)
    await opened.close()
  })
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-whole-deletions-'))
    const objects = await openLocalStore({ writableRoots: [home], readableRoots: [] })
    const source = sourceAt(opened.url)
    deps = exportParts({ objects, warehouse: `file://${home}`, source })
    await opened.client.query(
      'drop foreign table if exists remote; ' +
        'drop table if exists child, t, größe, p, afar cascade; ' +
        'create table t (id int primary key, note text); ' +
        "insert into t select i, 'note' from generate_series(1, 10) i; " +
        'create table child (t int, note text); ' +
        "insert into child select id, 'child' from t; " +
        'create table größe (id int primary key); ' +
        'insert into größe select generate_series(1, 10); ' +
        'create table p (id int primary key) partition by range (id); ' +
        'create table p_1 partition of p for values from (1) to (6); ' +
        'create table p_2 partition of p for values from (6) to (11); ' +
        'insert into p select generate_series(1, 10); ' +
        'create view v as select id from t',
    )
  })
  afterEach(() => rm(home, { recursive: true }))

  const count = async (table: string) =>
    Number((await opened.client.query(`select count(*) from ${table}`)).rows[0].count)
  const run = (json: object, sql: { select?: string; remove?: string } = {}, used = deps) => {
    const task = parseTask('t', { json: JSON.stringify(json), ...sql, changedAtMs: 0 })
    return exportOnce(used, task, runOf())
  }

  /** As a role that owns nothing. */
  const asKeeper = () => {
    return { ...deps, exportSources: new Map([['default', sourceOfRole(opened.url, ROLE)]]) }
  }

  const cascade = (table: string) =>
    `alter table child add foreign key (t) references ${table} on delete cascade`
  const ROWS = { select: 'select id from t', remove: 'delete from t' }
  const KEYED = { select: 'select id from moraine_keys' }
  const FOREIGN =
    'create foreign table remote (id int, note text) server loop ' +
    "options (schema_name 'public', table_name 't')"
  const FOREIGN_PARTITION = [
    'create table afar (id int); drop table p; ' +
      'create table p (id int) partition by range (id); ' +
      'create table p_1 partition of p for values from (1) to (6); ' +
      'create foreign table p_2 partition of p for values from (6) to (11) server loop ' +
      "options (schema_name 'public', table_name 'afar')",
    'insert into p select generate_series(1, 10)',
  ]
  const CASCADE_OF_PARTITION = ['delete from child where t < 6', cascade('p_2 (id)')]

  const REFUSED: readonly (readonly [
    string,
    readonly string[],
    object,
    { readonly select?: string; readonly remove?: string },
    string,
  ])[] = [
    [
      'a cascade, behind WITH and USING',
      [cascade('t')],
      {},
      { ...ROWS, remove: 'with old as (select id from t) delete from t using old where true' },
      'child',
    ],
    [
      'a cascade, behind a comment',
      [cascade('t')],
      {},
      { ...ROWS, remove: 'delete /*x*/ from t' },
      'child',
    ],
    [
      'a cascade, behind the name of the database',
      [cascade('t')],
      {},
      { ...ROWS, remove: 'delete from DATABASE.public.t' },
      'child',
    ],
    [
      'a cascade of a table whose name is not ASCII',
      [cascade('größe')],
      {},
      { select: 'select id from größe', remove: 'delete from größe' },
      'child',
    ],
    ['a cascade behind a view', [cascade('t')], {}, { ...ROWS, remove: 'delete from v' }, 'child'],
    [
      'another deletion in WITH',
      [],
      {},
      { ...ROWS, remove: 'with c as (delete from child returning 1) delete from t' },
      'child',
    ],
    [
      'another change in WITH',
      [],
      {},
      { ...ROWS, remove: "with c as (update child set note = '') delete from t" },
      'child',
    ],
    [
      'an insertion in WITH that changes rows',
      ['create unique index on child (t)'],
      {},
      {
        ...ROWS,
        remove:
          "with c as (insert into child values (1, '') on conflict (t) " +
          'do update set note = excluded.note) delete from t',
      },
      'child',
    ],
    [
      'an insertion alone',
      [],
      {},
      { ...ROWS, remove: "with c as (select 1) insert into child values (1, '')" },
      'INSERT',
    ],
    [
      'a rule that deletes elsewhere, too',
      ['create rule also as on delete to t do also delete from child where t = old.id'],
      {},
      ROWS,
      'child',
    ],
    [
      'a rule that deletes nothing',
      ['create rule never as on delete to t do instead nothing'],
      {},
      ROWS,
      'SELECT',
    ],
    ['a view', [], { table: 'v', where: 'true' }, {}, 'view'],
    ['a view, in batches', [], { table: 'v', where: 'true', mode: 'batches' }, {}, 'view'],
    [
      'a view, by keys',
      [],
      { table: 'v', where: 'true', mode: 'keys', keys: ['id'] },
      KEYED,
      'view',
    ],
    [
      'a cascade of one partition',
      CASCADE_OF_PARTITION,
      { table: 'p', where: 'true' },
      {},
      'child',
    ],
    [
      'a cascade of one partition, in batches',
      CASCADE_OF_PARTITION,
      { table: 'p', where: 'true', mode: 'batches' },
      {},
      'child',
    ],
    [
      'a cascade of one partition, with two files',
      CASCADE_OF_PARTITION,
      {},
      { select: 'select id from p', remove: 'delete from p' },
      'child',
    ],
    ['a foreign table', [FOREIGN], { table: 'remote', where: 'true' }, {}, 'foreign'],
    [
      'a foreign table, with two files',
      [FOREIGN],
      {},
      { select: 'select * from remote', remove: 'delete from remote' },
      'foreign',
    ],
    [
      'a foreign table, by keys',
      [FOREIGN],
      { table: 't', where: 'true', mode: 'keys' },
      { ...KEYED, remove: 'delete from remote' },
      'foreign',
    ],
    ['a foreign partition', FOREIGN_PARTITION, { table: 'p', where: 'true' }, {}, 'foreign'],
  ]
  const CASES = REFUSED.map(
    ([what, setUp, json, sql, told]) => [what, { setUp, json, sql, told }] as const,
  )
  test.each(CASES)('%s: refused, and nothing is deleted', async (_, refused) => {
    const { setUp, json, sql, told } = refused
    for (const statement of setUp) await opened.client.query(statement)
    const counts = () => Promise.all(['t', 'child', 'größe', 'p'].map(count))
    const before = await counts()
    const { pathname } = new URL(opened.url)
    const { remove } = sql
    const named = remove && { remove: remove.replace('DATABASE', pathname.slice(1)) }
    const failed = await refusal(run(json, { ...sql, ...named }))
    expect(failed.message).toContain(told)
    expect(failed.code).toBe('export-task-invalid')
    expect(await counts()).toEqual(before)
    expect(await archivedIds(deps)).toEqual([])
    expect(await deps.files.listStaged()).toEqual([])
  })

  test.each([
    ['WITH', 'with old as (select id from t) delete from t using old where t.id = old.id', 'count'],
    ['a comment', 'delete /*x*/ from t', 'count'],
    ['a view', 'delete from v', 'count'],
    ['a log', 'with c as (insert into child select null, note from t) delete from t', 'count'],
    ['a plain deletion', 'delete from only t', 'keys'],
  ])('%s is no obstacle where nothing else would change', async (_, remove, proof) => {
    await opened.client.query(
      'alter table child add foreign key (t) references t; delete from child',
    )
    expect(await run({}, { ...ROWS, remove })).toMatchObject({ rows: 10, deleted: 10, proof })
    expect(await count('t')).toBe(0)
  })

  test('a view of a table in a schema that the role may not use is no obstacle', async () => {
    await opened.client.query(
      'drop schema if exists private cascade; create schema private; ' +
        'create table private.t as select generate_series(1, 10) as id; ' +
        'create view shown as select id from private.t; ' +
        `grant select, delete on shown to ${ROLE}`,
    )
    const sql = { select: 'select id from shown', remove: 'delete from shown' }
    expect(await run({}, sql, asKeeper())).toMatchObject({ rows: 10, deleted: 10 })
    expect(await count('private.t')).toBe(0)
    await opened.client.query('drop schema private cascade')
  })

  test('a table whose name is not ASCII is proved by its keys', async () => {
    const sql = { select: 'select id from größe', remove: 'delete from größe' }
    expect(await run({}, sql)).toMatchObject({ rows: 10, proof: 'keys' })
  })

  test('a view can be copied', async () => {
    expect(await run({ table: 'v', where: 'true', mode: 'keep' })).toMatchObject({ rows: 10 })
  })

  test.each(['atomic', 'batches'])('%s: a trigger that keeps all rows is told', async (mode) => {
    await opened.client.query(
      'create or replace function keep() returns trigger language plpgsql as ' +
        "$$ begin if new is null and old.note = 'note' then return null; end if; return old; " +
        'end $$; create trigger kept before delete on t for each row execute function keep()',
    )
    const failed = await refusal(run({ table: 't', where: 'true', mode }))
    expect(failed).toMatchObject({ code: 'source-refused' })
    expect(failed.message).toContain('its trigger kept')
    expect(await count('t')).toBe(10)
    expect(await deps.files.listStaged()).toEqual([])
    // Nothing is meant, or some are deleted: then there is nothing to tell.
    expect(await run({ table: 't', where: 'id > 10', mode })).toEqual({ outcome: 'empty' })
    await opened.client.query("update t set note = 'other' where id > 7")
    expect(await run({ table: 't', where: 'true', mode })).toMatchObject({ rows: 3 })
    expect(await count('t')).toBe(7)
  })

  test('rows that row security keeps are told', async () => {
    await opened.client.query(
      `grant select, delete on t to ${ROLE}; alter table t enable row level security; ` +
        'create policy seen on t for select using (true); ' +
        'create policy kept on t for delete using (false)',
    )
    const failed = await refusal(run({ table: 't', where: 'true' }, {}, asKeeper()))
    expect(failed).toMatchObject({ code: 'source-refused' })
    expect(failed.message).toContain('row security')
    expect(await count('t')).toBe(10)
  })

  test.each([
    [
      'a trigger that keeps none',
      'create or replace function pass() returns trigger language plpgsql as ' +
        '$$ begin return old; end $$; ' +
        'create trigger passed before delete on t for each row execute function pass()',
      SourceConflictError,
    ],
    ['row security that its owner is exempt from', 'alter table t enable row level security', null],
  ])('batches: rows that others let go again are kept by nobody (%s)', async (_, setUp, thrown) => {
    await opened.client.query(setUp)
    const session = await sourceAt(opened.url).open('t', SIGNAL)
    await opened.client.query('begin; select from t for update')
    const work = { mode: 'batches', table: 't', where: 'true', rowsMax: 20 } as const
    const transaction = await session.begin(work)
    for await (const chunk of transaction.rows) expect(String(chunk)).toBe('id,note\n')
    await opened.client.query('rollback')
    const ended = await transaction.finish().then(
      ({ deleted }) => deleted,
      (error: Error) => error,
    )
    await transaction.rollback()
    await session.close()
    expect(ended).toEqual(thrown === null ? 0 : expect.any(thrown))
    expect(await run({ table: 't', where: 'true', mode: 'batches' })).toMatchObject({ rows: 10 })
  })

  test.each([
    ['an index is made beside the copy', 'create index on t (note)', 10],
    ['a cascade that is added beside it is seen', cascade('t'), 'export-task-invalid'],
  ])('snapshot: %s', async (_, beside, wanted) => {
    const session = await sourceAt(opened.url).open('t', SIGNAL)
    const transaction = await session.begin({ mode: 'snapshot', ...ROWS })
    const ended = await (async () => {
      for await (const _chunk of transaction.rows);
      await opened.client.query(`begin; set local lock_timeout = '3s'; ${beside}; commit`)
      return transaction.finish()
    })().then(
      ({ deleted }) => deleted,
      ({ code }) => code,
    )
    await transaction.rollback()
    await session.close()
    expect(ended).toBe(wanted)
    expect(await count('child')).toBe(10)
  })
})
