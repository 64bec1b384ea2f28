import pg from 'pg'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { ask, must, post } from '../../http/client.ts'
import { type ExportShop, openExportShop } from './export-harness.ts'

describeWithPostgres('modes of exports', () => {
  let shop: ExportShop
  beforeAll(async () => {
    shop = await openExportShop()
  })
  afterAll(() => shop.close())
  beforeEach(() =>
    shop.source.query(
      'drop table if exists t, city, spread cascade; ' +
        'create table city (id int primary key, name text); ' +
        "insert into city values (0, 'Rome'), (1, 'Oslo'); " +
        'create table t (id int primary key, day date, city int, note text); ' +
        "insert into t select i, date '2025-01-01' + i % 3, i % 2, 'note ' || i " +
        'from generate_series(1, 300) i; ' +
        'create table spread (id int, at timestamptz) partition by range (at); ' +
        "create table spread_1 partition of spread for values from (minvalue) to ('2024-01-01'); " +
        "create table spread_2 partition of spread for values from ('2024-01-01') " +
        "to ('2024-02-01'); " +
        "create table spread_3 partition of spread for values from ('2024-02-01') " +
        "to ('2024-03-01'); " +
        'create table spread_new partition of spread default; ' +
        "insert into spread select i, timestamptz '2023-12-01' + i * interval '1 day' " +
        'from generate_series(0, 88) i; insert into spread values (1000, now())',
    ),
  )

  const left = async (table = 't') =>
    Number((await shop.source.query(`select count(*) from ${table}`)).rows[0].count)
  const resultOf = async (name: string) => {
    const { runs } = await must(ask(shop.service, `/v1/exports/${name}/runs`))
    return runs[0].result
  }
  const dryRun = async (name: string) =>
    (await must(post(shop.service, `/v1/exports/${name}/runs`, { dry_run: true }))).rows

  const JOINED =
    'select t.id, t.note, city.name from t join moraine_keys using (id) ' +
    'join city on city.id = t.city'
  const OLD = "day < date '2025-01-03'"

  test('keys: rows that a query joins with others are deleted by their own keys', async () => {
    await shop.task('keys', {
      'task.json': { mode: 'keys', table: 't', where: OLD },
      'select.sql': `COPY (${JOINED}) TO STDOUT WITH CSV HEADER`,
    })
    expect(await dryRun('keys')).toBe(200)
    expect(await left()).toBe(300)
    expect(await shop.run('keys')).toMatchObject({ status: 200 })
    expect(await left()).toBe(100)
    expect(await resultOf('keys')).toMatchObject({ rows: 200, deleted: 200, proof: 'keys' })
    expect(new Set(await shop.archived('keys')).size).toBe(200)
    expect((await shop.archived('keys'))[0]).toMatch(/^\d+,note \d+,(Rome|Oslo)$/)
  })

  test.each([
    ['a row twice', JOINED.replace('city.id = t.city', 'true'), undefined],
    ['not all rows', `${JOINED} where t.id % 2 = 0`, undefined],
    ['another deletion', JOINED, 'delete from t where id > 100'],
    ['a deletion of too few', JOINED, 'delete from t where id < 10'],
  ])('keys: %s is refused, and nothing is deleted', async (what, select, remove) => {
    const name = what.replaceAll(' ', '-')
    await shop.task(name, {
      'task.json': { mode: 'keys', table: 't', where: OLD },
      'select.sql': select,
      ...(remove !== undefined && { 'delete.sql': remove }),
    })
    const { body } = await shop.run(name)
    expect(body.type).toContain('export-count-mismatch')
    expect(await left()).toBe(300)
  })

  test('batches: a file each, until nothing is left but what others hold', async () => {
    await shop.task('batches', {
      'task.json': { mode: 'batches', table: 't', where: 'true', batch_rows: 70 },
    })
    const other = new pg.Client({ connectionString: shop.url })
    await other.connect()
    await other.query('begin; select from t where id between 1 and 10 for update')
    expect(await shop.run('batches')).toMatchObject({ status: 200 })
    await other.query('rollback')
    expect(await left()).toBe(10)
    expect(await resultOf('batches')).toMatchObject({ parts: 5, rows: 290, deleted: 290 })
    const files = await shop.files('batches')
    expect(files.map(({ file }) => file.slice(-12))).toEqual(
      [5, 4, 3, 2, 1].map((part) => `0000${part}.csv.gz`),
    )
    expect(new Set(await shop.archived('batches')).size).toBe(290)
    await other.end()
  })

  test('batches of a partitioned table, by several partitions', async () => {
    await shop.task('spread', {
      'task.json': { mode: 'batches', table: 'spread', where: 'id < 1000', batch_rows: 40 },
    })
    expect(await shop.run('spread')).toMatchObject({ status: 200 })
    expect(await left('spread')).toBe(1)
    expect(new Set(await shop.archived('spread')).size).toBe(89)
  })

  test.each(['batches', 'atomic'])('max_rows bounds a run: %s', async (mode) => {
    const batch = mode === 'batches' ? { batch_rows: 40 } : {}
    await shop.task(`most-${mode}`, {
      'task.json': { mode, table: 't', where: 'true', max_rows: 100, ...batch },
    })
    expect(await dryRun(`most-${mode}`)).toBe(100)
    expect(await shop.run(`most-${mode}`)).toMatchObject({ status: 200 })
    expect(await left()).toBe(200)
    expect(await resultOf(`most-${mode}`)).toMatchObject({ rows: 100 })
  })

  test('min_age keeps what is younger', async () => {
    await shop.source.query("update t set day = now() - id * interval '1 day'")
    await shop.task('aged', {
      'task.json': { table: 't', where: 'city = 0', min_age: '100 days', age_column: 'day' },
    })
    expect(await shop.run('aged')).toMatchObject({ status: 200 })
    expect(await resultOf('aged')).toMatchObject({ rows: 101 })
  })

  test('partition: each that is over is detached, copied and dropped', async () => {
    await shop.task('parts', {
      'task.json': { mode: 'partition', table: 'public.spread', min_age: '30 days' },
    })
    expect(await dryRun('parts')).toBe(89)
    expect(await left('spread')).toBe(90)
    expect(await shop.run('parts')).toMatchObject({ status: 200 })
    expect(await resultOf('parts')).toMatchObject({
      ...{ parts: 3, rows: 89, deleted: 89, proof: 'whole partition' },
    })
    expect(await left('spread')).toBe(1)
    expect(new Set(await shop.archived('parts')).size).toBe(89)
    const { rows } = await shop.source.query(
      "select relname from pg_class where relname ~ '^spread' order by 1",
    )
    expect(rows.map(({ relname }) => relname)).toEqual(['spread', 'spread_new'])
    expect(await shop.run('parts')).toMatchObject({ status: 200 })
    expect(await resultOf('parts')).toEqual({ outcome: 'empty' })
  })

  test('a partition that cannot be dropped stays, detached, for the next run', async () => {
    await shop.source.query('create view seen as select * from spread_1')
    await shop.task('seen', {
      'task.json': { mode: 'partition', table: 'spread', min_age: '30 days' },
    })
    expect((await shop.run('seen')).body.type).toContain('source-refused')
    expect(await left('spread_1')).toBe(31)
    await shop.source.query('drop view seen')
    expect(await shop.run('seen')).toMatchObject({ status: 200 })
    expect(await resultOf('seen')).toMatchObject({ parts: 3, rows: 89 })
  })

  test('a partition that was attached again is left until it is old enough', async () => {
    await shop.source.query('create view seen as select * from spread_1')
    const aged = (min_age: string) =>
      shop.task('attached', { 'task.json': { mode: 'partition', table: 'spread', min_age } })
    await aged('30 days')
    expect((await shop.run('attached')).body.type).toContain('source-refused')
    await shop.source.query(
      'drop view seen; alter table spread attach partition spread_1 ' +
        "for values from (minvalue) to ('2024-01-01')",
    )
    // Counted once.
    expect(await dryRun('attached')).toBe(89)
    await aged('900 years')
    expect(await dryRun('attached')).toBe(0)
    expect(await shop.run('attached')).toMatchObject({ status: 200 })
    expect(await resultOf('attached')).toEqual({ outcome: 'empty' })
    expect(await left('spread')).toBe(90)
    await aged('30 days')
    expect(await shop.run('attached')).toMatchObject({ status: 200 })
    expect(await resultOf('attached')).toMatchObject({ parts: 3, rows: 89 })
  })

  test.each([
    ['of a table', { table: 't', where: 'true', keep: true }, {}],
    ['of a query', { keep: true }, { 'select.sql': 'select * from t' }],
  ])('keep: true copies only: %s', async (what, json, sql) => {
    const name = what.replaceAll(' ', '-')
    await shop.task(name, { 'task.json': json, ...sql })
    expect(await shop.run(name)).toMatchObject({ status: 200 })
    expect(await resultOf(name)).toMatchObject({ rows: 300, deleted: 0, proof: 'none deleted' })
    expect(await left()).toBe(300)
  })

  test.each([
    [{ table: 't', where: 'true', keep: true, mode: 'atomic' }, 'keep is true'],
    [{ table: 't', where: 'true', keep: false, mode: 'keep' }, 'keep is false'],
    [{ table: 't', where: 'true', keep: 30 }, 'files are kept for ever'],
    [{ table: 't', mode: 'partition' }, 'min_age'],
    [{ table: 't', where: 'true', min_age: '1 day' }, 'age_column'],
    [{ table: 't', where: 'true', mode: 'keys' }, 'select.sql'],
    [{ table: 't', where: 'true', batch_rows: 3 }, 'batch_rows has no meaning'],
    [{ table: 't', where: 'true', mode: 'batches', name: 'seed' }, 'seed'],
    [{ table: 't', where: 'true', min_age: "1 day' or true --", age_column: 'day' }, 'min_age'],
  ])('%j is refused: %s', async (json, told) => {
    await shop.task('refused', { 'task.json': json })
    const { status, body } = await shop.run('refused')
    expect([status, body.type]).toEqual([422, '/problems/export-task-unusable'])
    expect(body.detail).toContain(told)
  })
})
