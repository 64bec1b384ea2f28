import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describeWithPostgres } from '../catalog/postgres-server.ts'
import { type ExportShop, openExportShop } from '../modules/exports/export-harness.ts'
import { sendBytes } from '../modules/exports/send-bytes.ts'

const PYTHON = process.env['TEST_FRAMES_PYTHON'] ?? 'python3'
const runs = (program: string, ...args: readonly string[]) =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0
const testWithPsql = runs('psql', '--version') ? test : test.skip
const testWithPython = runs('python3', '--version') ? test : test.skip
const testWithPandas = runs(PYTHON, '-c', 'import pandas') ? test : test.skip

const BY_CSV = `
import csv, gzip, json, sys
with gzip.open(sys.argv[1], 'rt', encoding='utf-8', newline='') as text:
    print(json.dumps(list(csv.reader(text))))
`
const BY_PANDAS = `
import json, sys
import pandas as pd
frame = pd.read_csv(sys.argv[1], dtype=str, keep_default_na=False)
print(json.dumps([list(frame.columns)] + frame.values.tolist()))
`

describeWithPostgres('readers of archives', () => {
  let shop: ExportShop
  let home: string
  let path: string
  beforeAll(async () => {
    shop = await openExportShop()
    home = await mkdtemp(join(tmpdir(), 'moraine-readers-'))
    await shop.source.query(
      'create table t (id int primary key, note text, m numeric(9,2), at timestamptz, raw bytea, ' +
        'f float8, j jsonb); ' +
        "insert into t select i, case i % 6 when 0 then null when 1 then '' " +
        `when 2 then e'a "b",\\nc' when 3 then 'héé 東京 😀' when 4 then e'\\\\.' ` +
        "else e'tab\\tand\\rreturn' end, i / 7.0, now() + i * interval '1 day', " +
        `decode(lpad(to_hex(i), 4, '0'), 'hex'), i / 3.0, jsonb_build_object('a', i) ` +
        'from generate_series(1, 3000) i; create table was as table t; create table back (like t)',
    )
    await shop.task('t', { 'task.json': { table: 't', where: 'true' } })
    expect(await shop.run('t')).toMatchObject({ status: 200 })
    const [file] = await shop.files('t')
    path = join(home, 't.csv.gz')
    await writeFile(path, await sendBytes(`${shop.service.url}${file.url}`))
  })
  afterAll(async () => {
    await shop.close()
    await rm(home, { recursive: true })
  })

  /** Header and rows as texts, NULL as an empty one: no reader of CSV tells them apart. */
  async function expected(): Promise<readonly (readonly string[])[]> {
    const columns = ['id', 'note', 'm', 'at', 'raw', 'f', 'j']
    const texts = columns.map((name) => `coalesce(${name}::text, '')`).join(', ')
    const { rows } = await shop.source.query({
      text: `select ${texts} from was order by id`,
      rowMode: 'array',
    })
    return [columns, ...rows]
  }
  const read = (python: string, script: string) =>
    JSON.parse(execFileSync(python, ['-c', script, path], { maxBuffer: 2 ** 28 }).toString())

  testWithPsql('\\copy of psql brings back every row', async () => {
    const plain = join(home, 't.csv')
    await writeFile(
      plain,
      gunzipSync(await sendBytes(`${shop.service.url}${(await shop.files('t'))[0].url}`)),
    )
    execFileSync('psql', [
      ...['-d', shop.url, '-v', 'ON_ERROR_STOP=1', '-c'],
      `\\copy back from '${plain}' with (format csv, header true, encoding 'UTF8')`,
    ])
    const { rows } = await shop.source.query(
      '(table was except all table back) union all (table back except all table was)',
    )
    expect(rows).toEqual([])
  })

  testWithPython("Python's csv reads every row", async () => {
    expect(read('python3', BY_CSV)).toEqual(await expected())
  })

  testWithPandas('pandas reads every row', async () => {
    expect(read(PYTHON, BY_PANDAS)).toEqual(await expected())
  })
})
