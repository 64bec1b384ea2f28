import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { startPostgres, whyNoPostgres } from '../catalog/postgres-server.ts'
import {
  buildService,
  builtMain,
  builtProgram,
  type Ended,
  endServices,
  runToEnd,
} from '../crash/killable-service.ts'

const NOBODY = 65_534

let base: string
let home: string
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'moraine-start-'))
  home = join(base, 'home')
})
afterEach(() => rm(base, { recursive: true, force: true }))

/** What a start that an operator can put right says; it says nothing else. */
function refusalOf({ code, stdout, stderr }: Ended): string {
  expect({ code, stdout, lines: stderr.split('\n').length }).toEqual({
    code: 1,
    stdout: '',
    lines: 2,
  })
  return stderr.replace(/\n$/, '')
}

/** Another process may have locked the whole database. */
function lockDatabase(path: string): void {
  const database = new Sqlite(path, { fileMustExist: true, timeout: 0 })
  database.exec('begin exclusive; rollback')
  database.close()
}

test.each([
  ['s3://nobody/lake', 'MORAINE_S3_CREDENTIALS'],
  ['gs://nobody/lake', 'MORAINE_GCS_CREDENTIALS'],
])('a warehouse in %s without credentials: one line that names %s', async (warehouse, name) => {
  const ended = await runToEnd([], {
    ...{ MORAINE_HOME: home, MORAINE_WAREHOUSE: warehouse, MORAINE_S3_REGION: 'eu-central-1' },
    // Neither of this machine, nor of the cloud that it may be in.
    ...{ HOME: base, AWS_EC2_METADATA_DISABLED: 'true', METADATA_SERVER_DETECTION: 'none' },
    ...{ AWS_ACCESS_KEY_ID: '', AWS_PROFILE: '', GOOGLE_APPLICATION_CREDENTIALS: '' },
  })
  const said = refusalOf(ended)
  expect(said).toMatch(/^moraine: MORAINE_WAREHOUSE=.* needs credentials, and none are found: set/)
  expect(said).toContain(name)
})

test('a bucket of S3 without a region: one line that names the variable', async () => {
  const credentials = join(base, 'keys')
  await writeFile(credentials, '[default]\naws_access_key_id = a\naws_secret_access_key = b\n')
  const ended = await runToEnd([], {
    ...{ MORAINE_HOME: home, MORAINE_WAREHOUSE: 's3://nobody/lake', HOME: base },
    ...{ MORAINE_S3_CREDENTIALS: credentials, AWS_REGION: '', AWS_DEFAULT_REGION: '' },
  })
  expect(refusalOf(ended)).toContain('MORAINE_S3_REGION')
})

test('a taken port: one line, exit code 1, and the database is free', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const ended = await runToEnd([], { MORAINE_HOME: home, MORAINE_PORT: String(port) })
  server.close()
  expect(refusalOf(ended)).toBe(
    `moraine: MORAINE_PORT=${port} cannot be used: another process already listens there; ` +
      'stop it or give another port (0 picks any free one)',
  )
  lockDatabase(join(home, 'catalog.db'))
  expect(await readdir(join(home, 'tmp'))).toEqual([])
})

function openAt(host: string) {
  return { MORAINE_HOME: home, MORAINE_HOST: host, MORAINE_OPEN_TO_ALL: 'yes' }
}

test('a host that lets other machines in, while nobody is asked who they are', async () => {
  expect(refusalOf(await runToEnd([], { MORAINE_HOME: home, MORAINE_HOST: '0.0.0.0' }))).toBe(
    'moraine: MORAINE_HOST=0.0.0.0 lets other machines in, and MORAINE_AUTH=none asks nobody who ' +
      'they are: set MORAINE_AUTH=keys, or MORAINE_OPEN_TO_ALL=yes if whoever reaches the port ' +
      'may do everything, or listen on 127.0.0.1',
  )
})

test.each([
  ['192.0.2.1', /this machine has no such address/],
  ['no-such-host.invalid', /no such host name is known|the name server does not respond/],
])('a host that is not one of this machine, %s', async (host, cause) => {
  const said = refusalOf(await runToEnd([], openAt(host)))
  expect(said).toMatch(cause)
  expect(said).toMatch(`moraine: MORAINE_HOST=${host} cannot be used: `)
  expect(said).toMatch(/; give an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all$/)
  lockDatabase(join(home, 'catalog.db'))
})

test('a home below a file', async () => {
  await writeFile(join(base, 'file'), '')
  for (const below of ['file', 'file/home']) {
    const folder = join(base, below)
    expect(refusalOf(await runToEnd(['serve'], { MORAINE_HOME: folder }))).toBe(
      `moraine: MORAINE_HOME=${folder} cannot be used: a file has that name; give a folder`,
    )
  }
})

test('a home where nothing can be made, which would hold up mkdir for ever', async () => {
  const said = refusalOf(await runToEnd([], { MORAINE_HOME: '/proc/moraine' }))
  expect(said).toMatch(/^moraine: MORAINE_HOME=\/proc\/moraine cannot be used: /)
})

test('a home that this user may not write', async () => {
  await mkdir(home)
  await chmod(base, 0o755)
  await chmod(home, 0o555)
  const isRoot = process.getuid?.() === 0
  const ended = await runToEnd([], { MORAINE_HOME: home }, isRoot ? { uid: NOBODY } : {})
  expect(refusalOf(ended)).toBe(
    `moraine: MORAINE_HOME=${home} cannot be used: this user may not write there; ` +
      'give a folder that it may write',
  )
  expect(await readdir(home)).toEqual([])
})

/** Runs the command where the folder is a file system that nobody can write to. */
function onReadOnlyDisk(folder: string, environment: Record<string, string>): string {
  const script = `mount -t tmpfs -o ro tmpfs "$1" && shift && exec "$@"`
  const words = ['-rm', 'sh', '-c', script, 'sh', folder, process.execPath, builtMain()]
  const env = { PATH: process.env['PATH'] ?? '', MORAINE_PORT: '0', ...environment }
  const { status, stdout, stderr } = spawnSync('unshare', words, { env, encoding: 'utf8' })
  return refusalOf({ code: status, stdout, stderr })
}

const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0
const testOnReadOnlyDisk = canMount ? test : test.skip

testOnReadOnlyDisk('a home on a read-only disk', async () => {
  await mkdir(home)
  expect(onReadOnlyDisk(home, { MORAINE_HOME: home })).toBe(
    `moraine: MORAINE_HOME=${home} cannot be used: its file system is read-only; ` +
      'give a folder on another one',
  )
  const inside = join(home, 'below')
  expect(onReadOnlyDisk(home, { MORAINE_HOME: inside })).toMatch('its file system is read-only')
})

test('a warehouse elsewhere that cannot be made is named by its own variable', async () => {
  await writeFile(join(base, 'file'), '')
  const warehouse = `file://${base}/file/warehouse`
  const said = refusalOf(
    await runToEnd(['rebuild'], { MORAINE_HOME: home, MORAINE_WAREHOUSE: warehouse }),
  )
  expect(said).toMatch(`MORAINE_WAREHOUSE=${warehouse} cannot be used: a file has that name`)
  lockDatabase(join(home, 'catalog.db'))
})

test('a catalog file that is no database stays as it is', async () => {
  const path = join(base, 'letters.txt')
  const letters = 'Dear Ann, '.repeat(500)
  await writeFile(path, letters)
  const ended = await runToEnd([], { MORAINE_HOME: home, MORAINE_CATALOG: `sqlite:${path}` })
  expect(refusalOf(ended)).toBe(
    `moraine: MORAINE_CATALOG=sqlite:${path} cannot be used: ` +
      'that file is damaged, or not an SQLite database; restore it from a backup, or run ' +
      `"${builtProgram()} rebuild", which sets the file aside ` +
      'and registers every table again from the warehouse',
  )
  expect(await readFile(path, 'utf8')).toBe(letters)
})

test('a catalog that is a folder', async () => {
  const said = refusalOf(
    await runToEnd([], { MORAINE_HOME: home, MORAINE_CATALOG: `sqlite:${base}` }),
  )
  expect(said).toMatch(`MORAINE_CATALOG=sqlite:${base} cannot be used: that file cannot be opened`)
})

test('a catalog that a newer Moraine made', async () => {
  await mkdir(home)
  const database = new Sqlite(join(home, 'catalog.db'))
  database.exec(`create table moraine_migrations (number bigint primary key, name text);
    insert into moraine_migrations values (9999, 'later')`)
  database.close()
  const said = refusalOf(await runToEnd([], { MORAINE_HOME: home }))
  expect(said).toMatch(/ the database has schema 9999, .*; start a newer Moraine or give another/)
  lockDatabase(join(home, 'catalog.db'))
})

const testWithPostgres = whyNoPostgres() === undefined ? test : test.skip

testWithPostgres('a database server that refuses: the database, the user', async () => {
  const server = await startPostgres()
  try {
    const url = new URL(await server.newDatabase())
    const refused: [string, string, RegExp][] = [
      [
        url.pathname,
        '/nowhere',
        /database "nowhere" does not exist; check that the database exists/,
      ],
      [`${url.username}@`, 'nobody:s3cret@', /role "nobody" does not exist; .* admits this user/],
    ]
    for (const [part, other, said] of refused) {
      const MORAINE_CATALOG = url.href.replace(part, other)
      const line = refusalOf(await runToEnd([], { MORAINE_HOME: home, MORAINE_CATALOG }))
      expect(line).toMatch(/^moraine: MORAINE_CATALOG=postgres.* cannot be used: /)
      expect(line).toMatch(said)
      expect(line).not.toContain('s3cret')
    }
  } finally {
    await server.stop()
  }
})

test('a database server that is not there, without the password', async () => {
  const MORAINE_CATALOG = 'postgres://ann:s3cret@127.0.0.1:1/moraine'
  const said = refusalOf(await runToEnd([], { MORAINE_HOME: home, MORAINE_CATALOG }))
  expect(said).toMatch(
    /MORAINE_CATALOG=postgres:\/\/ann:\*\*\*@127.0.0.1:1\/moraine cannot be used/,
  )
  expect(said).toMatch(/ECONNREFUSED.*; check that the database exists/)
  expect(said).not.toContain('s3cret')
})
