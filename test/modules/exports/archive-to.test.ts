import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { ask, must, post } from '../../http/client.ts'
import { type ExportShop, openExportShop } from './export-harness.ts'
import { sendBytes } from './send-bytes.ts'

describeWithPostgres('archive_to a table', () => {
  let shop: ExportShop
  beforeAll(async () => {
    shop = await openExportShop()
  })
  afterAll(() => shop.close())

  const exporting = (name: string, table: string, archive_to: string) =>
    shop.task(name, { 'task.json': { table, where: 'true', archive_to } })
  const left = async (table: string) =>
    Number((await shop.source.query(`select count(*) from ${table}`)).rows[0].count)
  /** Rows of one of our tables, as lines of JSON. */
  const rowsOf = async (table: string): Promise<readonly Record<string, unknown>[]> => {
    const text = await sendBytes(`${shop.service.url}/v1/tables/${table}/dump?format=ndjson`)
    return text
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  }
  const typesOf = async (table: string) => {
    const { schema } = await must(ask(shop.service, `/v1/tables/${table}`))
    return Object.fromEntries(
      schema.columns.map(({ name, type }: { name: string; type: string }) => [name, type]),
    )
  }

  test('each type of a source has one of ours, and each value is there exactly', async () => {
    await shop.source.query(`
      create type mood as enum ('happy'); create domain small as int4;
      alter database ${new URL(shop.url).pathname.slice(1)} set datestyle = 'German';
      create table kinds (id bigint, n int4, s small, b bool, f real, d float8, m numeric(12,2),
        free numeric, t text, e mood, u uuid, day date, at timestamptz, local timestamp,
        clock time, raw bytea, j jsonb, list int4[]);
      insert into kinds values (9007199254740993, -1, 2, true, 0.1, 'Infinity', 12.50, 1e-40,
        e'a "b",\\n\\\\. c', 'happy', '0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11', '0044-03-15 BC',
        '1880-01-01 12:00:00.000001+05:53:20', '2024-02-29 23:59:59.5', '12:30:00', '\\x00ff',
        '{"a": [1, null]}', '{1,NULL}'),
        (2, null, null, false, 'NaN', '-0', null, 'NaN', '', null, null, '12024-01-01', null, null,
        null, '\\x', null, null)`)
    await exporting('kinds', 'kinds', 'archive.kinds')
    expect(await shop.run('kinds')).toMatchObject({ status: 200 })
    expect(await typesOf('archive.kinds')).toEqual({
      ...{ id: 'long', n: 'int', s: 'int', b: 'boolean', f: 'float', d: 'double' },
      ...{ m: 'decimal(12,2)', free: 'string', t: 'string', e: 'string', u: 'uuid', day: 'date' },
      ...{ at: 'timestamptz', local: 'timestamp', clock: 'time', raw: 'binary', j: 'string' },
      list: 'string',
    })
    const bytes = await sendBytes(`${shop.service.url}/v1/tables/archive.kinds/dump?format=csv`)
    expect(bytes.toString().split('\n').slice(1)).toEqual([
      `9007199254740993,-1,2,true,0.1,Infinity,12.50,0.${'0'.repeat(39)}1,"a ""b"",`,
      [
        ...['\\. c"', 'happy', '0f8c1c9e-6d0f-4f0a-9b2a-7c1d0e5b8a11', '-0043-03-15'],
        ...['1880-01-01 06:06:40.000001+00:00', '2024-02-29 23:59:59.5', '12:30:00', 'AP8='],
        ...['"{""a"": [1, null]}"', '"{1,NULL}"'],
      ].join(','),
      '2,,,false,NaN,-0.0,,NaN,"",,,+12024-01-01,,,,"",,',
      '',
    ])
    expect(await left('kinds')).toBe(0)
  })

  test('the run tells its table, which has a snapshot for each run', async () => {
    await shop.source.query('create table twice (id int primary key, note text)')
    await exporting('twice', 'twice', 'archive.twice')
    for (const id of [1, 2]) {
      await shop.source.query(`insert into twice values (${id}, null)`)
      expect(await shop.run('twice')).toMatchObject({ status: 200 })
    }
    const { runs } = await must(ask(shop.service, '/v1/exports/twice/runs'))
    expect(runs[0].result).toMatchObject({ outcome: 'exported', table: 'archive.twice', rows: 1 })
    expect(await rowsOf('archive.twice')).toEqual([
      { id: 1, note: null },
      { id: 2, note: null },
    ])
    const { snapshots } = await must(ask(shop.service, '/v1/tables/archive.twice/snapshots'))
    expect(snapshots).toHaveLength(2)
    // Nothing to archive is no snapshot.
    expect(await shop.run('twice')).toMatchObject({ status: 200 })
    const after = await must(ask(shop.service, '/v1/tables/archive.twice/snapshots'))
    expect(after.snapshots).toHaveLength(2)
  })

  test('new columns are added, and types widened, where no file changes', async () => {
    await shop.source.query(
      'create table grows (id int, m numeric(6,2)); insert into grows values (1, 1)',
    )
    await exporting('grows', 'grows', 'archive.grows')
    await shop.run('grows')
    await shop.source.query(`alter table grows alter id type bigint, alter m type numeric(9,2),
      add note text; insert into grows values (5000000000, 1234567.89, 'new')`)
    expect(await shop.run('grows')).toMatchObject({ status: 200 })
    expect(await typesOf('archive.grows')).toEqual({
      id: 'long',
      m: 'decimal(9,2)',
      note: 'string',
    })
    expect(await rowsOf('archive.grows')).toHaveLength(2)
    // A column that the source has no more is null from then on.
    await shop.source.query('alter table grows drop m; insert into grows values (3, null)')
    expect(await shop.run('grows')).toMatchObject({ status: 200 })
    expect((await rowsOf('archive.grows'))[2]).toEqual({ id: 3, m: null, note: null })
  })

  test.each([
    ['a type that the table has otherwise', 'id text', `'x'`, 'its column id has the type string'],
    ['a column that it lacks and the table requires', 'other int', '1', 'no column id'],
  ])('%s is refused before the run begins', async (_, column, value, told) => {
    await shop.source.query(
      `drop table if exists odd; create table odd (${column}); insert into odd values (${value})`,
    )
    const columns = [{ name: 'id', type: 'int', nullable: false }]
    await post(shop.service, '/v1/tables', { name: 'archive.odd', schema: { columns } })
    await exporting('odd', 'odd', 'archive.odd')
    const { status, body } = await shop.run('odd')
    expect(status).toBe(422)
    expect(body.code ?? body.type).toContain('export-task-unusable')
    expect(body.detail).toContain(told)
    expect(await left('odd')).toBe(1)
    expect(await shop.files('odd')).toEqual([])
  })

  test('a value that no table can hold leaves the rows where they are', async () => {
    await shop.source.query(
      "create table endless (day date); insert into endless values ('2025-01-01'), ('infinity')",
    )
    await exporting('endless', 'endless', 'archive.endless')
    const { status, body } = await shop.run('endless')
    expect([status, body.type]).toEqual([422, '/problems/export-row-invalid'])
    expect(body.detail).toBe(
      'The export endless was rolled back: the table archive.endless cannot hold a row of it: ' +
        'line 3: column "day": "infinity" is not date; none of a table is infinite',
    )
    expect(await left('endless')).toBe(2)
  })

  test('one column whose value is null is a row', async () => {
    await shop.source.query(
      'create table lone (a int); insert into lone values (null), (1), (null)',
    )
    await exporting('lone', 'lone', 'archive.lone')
    await shop.run('lone')
    await shop.source.query('insert into lone values (null)')
    await post(shop.service, '/v1/tables/archive.lone/schemas', {
      changes: [{ op: 'add', column: { name: 'b', type: 'int' } }],
    })
    expect(await shop.run('lone')).toMatchObject({ status: 200 })
    expect(await rowsOf('archive.lone')).toHaveLength(4)
  })
})
