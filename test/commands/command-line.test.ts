import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ownProgram } from '../../src/commands/own-program.ts'
import { readConfig } from '../../src/config.ts'
import { NOT_REBUILT } from '../../src/modules/operations/rebuild.ts'
import { createTable } from '../../src/modules/tables/tables.ts'
import { openPlatform } from '../../src/service.ts'
import {
  buildService,
  builtMain,
  builtProgram,
  endServices,
  KillableService,
  runToEnd,
} from '../crash/killable-service.ts'

let home: string
beforeAll(async () => {
  buildService()
  home = await mkdtemp(join(tmpdir(), 'moraine-commands-'))
})
afterAll(async () => {
  await endServices()
  await rm(home, { recursive: true, force: true })
})

test('--help names every command, and --version is that of the package', async () => {
  const help = await runToEnd(['--help'])
  expect(help.code).toBe(0)
  for (const name of ['serve', 'rebuild'])
    expect(help.stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
  const stdout = `${packageVersion()}\n`
  expect(await runToEnd(['--version'])).toEqual({ code: 0, stdout, stderr: '' })
})

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}

test.each([
  [['sreve'], "error: unknown command 'sreve'\n(Did you mean serve?)\n"],
  [['--port', '80'], "error: unknown option '--port'\n"],
  [
    ['rebuild', 'all'],
    "error: too many arguments for 'rebuild'. Expected 0 arguments but got 1.\n",
  ],
])('%j is refused before anything is opened', async (words, stderr) => {
  const left = join(home, 'untouched')
  const told = `${stderr}(${builtProgram()} --help lists the commands)\n`
  expect(await runToEnd(words, { MORAINE_HOME: left })).toEqual({
    code: 1,
    stdout: '',
    stderr: told,
  })
  expect(() => readFileSync(left)).toThrow('ENOENT')
})

test('commands are spelled as the person who reads of them can give them', async () => {
  const bin = await mkdtemp(join(home, 'bin-'))
  await symlink(builtMain(), join(bin, 'moraine'))
  // As `npm start` sets it.
  const npm = { npm_package_name: 'moraine', npm_lifecycle_event: 'start' }
  const other = { ...npm, npm_package_name: 'other' }
  const elsewhere = { cwd: bin }
  for (const [main, environment, options, program] of [
    [builtMain(), {}, {}, builtProgram()],
    [builtMain(), other, {}, builtProgram()],
    [builtMain(), {}, elsewhere, `node ${builtMain()}`],
    [builtMain(), npm, {}, 'npm start --'],
    [join(bin, 'moraine'), {}, {}, 'moraine'],
  ] as const) {
    const run = (...words: string[]) =>
      promisify(execFile)(process.execPath, [main, ...words], {
        ...options,
        env: { MORAINE_HOME: join(bin, 'home'), ...environment },
      })
    expect((await run('--help')).stdout).toContain(`Usage: ${program} [options]`)
    // Lines are wrapped where the path of this clone makes them too long.
    const help = (await run('restore', '--help')).stdout.replaceAll(/\s+/g, ' ')
    expect(help).toContain(`what "${program} backup" made`)
    await expect(run('sreve')).rejects.toMatchObject({
      stderr: expect.stringContaining(`(${program} --help lists the commands)`),
    })
  }
})

test('a file of a strange name is spelled for a shell, and one of a source for tsx', () => {
  const place = { environment: {}, folder: '/opt/x' }
  expect(ownProgram("/opt/x/it's here/main.js", place)).toBe("node 'it'\\''s here/main.js'")
  expect(ownProgram('/opt/x/src/main.ts', place)).toBe('npx tsx src/main.ts')
  expect(ownProgram('/opt/y/main.js', place)).toBe('node /opt/y/main.js')
})

test('it serves without a word, and by its name; each time SIGTERM ends it with 0', async () => {
  for (const words of [[], ['serve']]) {
    const service = await KillableService.start({ MORAINE_HOME: join(home, 'served') }, words)
    expect((await fetch(`${service.url}/ready`)).status).toBe(200)
    expect(await service.kill('SIGTERM')).toBe(0)
  }
})

test('the log begins with what is set and does nothing, and the version that listens', async () => {
  const service = await KillableService.start({
    MORAINE_HOME: join(home, 'told'),
    MORAINE_PROT: '80',
    MORAINE_ALLOWED_LOCATIONS: join(home, 'nowhere'),
  })
  const told = service.complaints.map((line) => JSON.parse(line))
  expect(told).toMatchObject([
    { level: 40, msg: expect.stringContaining('MORAINE_PROT is not a setting') },
    { level: 40, msg: expect.stringContaining('nowhere, where no folder can be read') },
    { level: 30, version: packageVersion(), msg: expect.stringContaining(packageVersion()) },
  ])
  expect(told[0].msg).toContain('did you mean MORAINE_PORT?')
  expect(await service.kill('SIGTERM')).toBe(0)
})

test('create-admin-key prints a key that signs in, and nothing else', async () => {
  const environment = { MORAINE_HOME: join(home, 'keyed'), MORAINE_AUTH: 'keys' }
  const printed = await runToEnd(['create-admin-key'], environment)
  expect(printed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^mor_\S+\n$/) })
  const service = await KillableService.start(environment)
  const headers = { Authorization: `Bearer ${printed.stdout.trim()}` }
  const mine = await fetch(`${service.url}/v1/me`, { headers })
  expect(await mine.json()).toMatchObject({
    auth: 'keys',
    principal: expect.stringMatching(/^key:/),
  })
  expect((await fetch(`${service.url}/v1/tables`)).status).toBe(401)
  expect((await fetch(`${service.url}/v1/tables`, { headers })).status).toBe(200)
  expect(await service.kill('SIGTERM')).toBe(0)
})

test('rebuild registers the tables of the warehouse, tells each in a line, and ends', async () => {
  const environment = { MORAINE_HOME: join(home, 'lost') }
  const platform = await openPlatform(readConfig(environment))
  const columns = [{ name: 'n', type: 'long' }]
  const { definition } = await createTable(platform, { name: 'numbers', columns })
  await platform.close()
  await rm(join(home, 'lost', 'catalog.db'))
  const stdout =
    `registered  default.numbers  ${definition.location}\n` + `not brought back: ${NOT_REBUILT}\n`
  expect(await runToEnd(['rebuild'], environment)).toEqual({ code: 0, stdout, stderr: '' })
})
