import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withSession } from '../../../src/engine/worker/sql/session.ts'

let base = ''
let folder = ''

beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-session-')))
  folder = `${base}/work`
  await mkdir(folder)
  await writeFile(`${base}/secret.csv`, 'a\n1\n')
  await writeFile(`${base}/linked.csv`, 'a\n2\n')
  await writeFile(`${folder}/own.csv`, 'a\n3\n')
  await symlink(`${base}/linked.csv`, `${folder}/link.csv`)
})
afterAll(() => rm(base, { recursive: true }))

async function run(sql: string): Promise<unknown> {
  const options = { memoryBytes: 256_000_000, folder, linkedPaths: [`${folder}/link.csv`] }
  return withSession({ ...options, trust: 'statistics' }, async (connection) => {
    return (await connection.runAndReadAll(sql)).getRowsJson()
  })
}

describe('a session of the engine', () => {
  test('reads and writes its folder, and reads the files to which its links lead', async () => {
    expect(await run(`SELECT a FROM read_csv('${folder}/own.csv')`)).toEqual([['3']])
    expect(await run(`SELECT a FROM read_csv('${base}/linked.csv')`)).toEqual([['2']])
    await run(`COPY (SELECT 1 AS a) TO '${folder}/made.csv'`)
  })

  test.each([
    ['a file', () => `SELECT * FROM read_csv('${base}/secret.csv')`],
    ['files by a pattern', () => `SELECT * FROM glob('${base}/*')`],
    ['a file to be written', () => `COPY (SELECT 1 AS a) TO '${base}/made.csv'`],
    ['a database', () => `ATTACH '${base}/other.db' AS other`],
  ])('reaches nothing outside: %s', async (_what, sql) => {
    await expect(run(sql())).rejects.toThrow('disabled by configuration')
  })

  test.each([
    `SET memory_limit = '100GB'`,
    'SET threads = 64',
    `SET temp_directory = '/'`,
    `SET TimeZone = 'Asia/Tokyo'`,
    'SET lock_configuration = false',
    'RESET memory_limit',
  ])('keeps its settings: %s', async (sql) => {
    await expect(run(sql)).rejects.toThrow('the configuration has been locked')
  })
})
