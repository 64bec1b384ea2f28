import { execFileSync } from 'node:child_process'
import { copyFile, mkdtemp, readdir, readFile, realpath, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { readConfig } from '../../src/config.ts'
import { AuditSealer } from '../../src/modules/audit/audit-sealer.ts'
import { openPlatform } from '../../src/service.ts'
import { buildService, endServices, KillableService, runToEnd } from '../crash/killable-service.ts'

let base: string
beforeAll(buildService)
afterAll(endServices)
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-verify-')))
})
afterEach(() => rm(base, { recursive: true, force: true }))

const homeOf = (name: string) => ({ MORAINE_HOME: join(base, name) })

/** A service that made a namespace and ended, whose rows are sealed as its task does. */
async function sealed(environment: Record<string, string>, namespace: string): Promise<void> {
  const service = await KillableService.start(environment)
  const body = JSON.stringify({ name: namespace })
  const headers = { 'Content-Type': 'application/json' }
  const made = await fetch(`${service.url}/v1/namespaces`, { method: 'POST', headers, body })
  expect(made.status).toBe(201)
  await service.kill('SIGTERM')
  await sealRows(environment)
}

async function sealRows(environment: Record<string, string>): Promise<void> {
  const platform = await openPlatform(readConfig(environment))
  try {
    await new AuditSealer(platform).run(new AbortController().signal)
  } finally {
    await platform.close()
  }
}

const NEXT = 'if it is one of yours, give it with --key'

const verified = (environment: Record<string, string>, ...words: readonly string[]) =>
  runToEnd(['verify-audit', ...words], environment)

test('exit codes tell what does not fit, and one line names it', async () => {
  const home = homeOf('old')
  expect(await verified(home)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/there is no catalog/),
  })
  await sealed(home, 'sky')
  await sealed(home, 'sea')
  const whole = await verified(home)
  expect(whole).toMatchObject({ code: 0, stderr: '' })
  const [, last = ''] = /^last seal {2}(\S+)$/m.exec(whole.stdout) ?? []
  expect(whole.stdout).toMatch(/^verified {2}2 seals {2}\d+ rows {2}0 rows that no seal has yet\n/)
  expect(await verified(home, '--expect', last)).toMatchObject({ code: 0 })

  const change = (statement: string) => {
    const database = new Sqlite(join(base, 'old/catalog.db'))
    database.exec(statement)
    database.close()
  }
  change("update audit_rows set principal = principal || 'x' where position = 1")
  const row = await verified(home)
  expect(row).toMatchObject({ code: 2, stderr: '' })
  expect(row.stdout).toMatch(/^does not fit {2}row 1 \(.{36}\) of seal 1 was changed\n$/)
  change('update audit_rows set principal = substr(principal, 1, length(principal) - 1)')
  change("update audit_rows set principal = 'anonymous'")
  expect(await verified(home)).toMatchObject({ code: 0 })

  const seal = join(base, 'old/warehouse/.moraine-audit/1.json')
  await rename(seal, `${seal}.away`)
  const missing = await verified(home)
  expect([missing.code, missing.stdout]).toEqual([3, expect.stringMatching(/seal 1 is missing in/)])
  await rename(`${seal}.away`, seal)

  const { key } = JSON.parse(await readFile(seal, 'utf8'))
  const pem = join(base, 'old/audit-key.pem')
  await rename(pem, `${pem}.away`)
  const none = await verified(home)
  expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/^moraine: no key is known/)])
  expect(await readdir(join(base, 'old'))).not.toContain('audit-key.pem')
  expect(await verified(home, '--key', key)).toMatchObject({ code: 0 })
  const other = await verified(home, '--key', '0'.repeat(64))
  expect([other.code, other.stdout]).toEqual([
    4,
    expect.stringContaining(`not known: ${key}; ${NEXT}`),
  ])
  for (const words of [
    ['--from', 'x'],
    ['--expect', '1:x'],
  ]) {
    expect(await verified(home, '--key', key, ...words)).toMatchObject({ code: 1, stdout: '' })
  }
}, 120_000)

test('a backup has all seals, and a rebuild keeps them although the rows are lost', async () => {
  const home = homeOf('old')
  await sealed(home, 'sky')
  const folder = join(base, 'backup')
  expect(await runToEnd(['backup', folder], home)).toMatchObject({ code: 0 })
  const restored = await runToEnd(['restore', folder], homeOf('new'))
  const relocated = /MORAINE_RELOCATED=(\S+)/.exec(restored.stdout)?.[1] ?? ''
  const place = { ...homeOf('new'), MORAINE_RELOCATED: relocated }
  await rename(join(base, 'old'), join(base, 'lost'))
  await copyFile(join(base, 'lost/audit-key.pem'), join(base, 'new/audit-key.pem'))
  expect(await verified(place)).toMatchObject({ code: 0 })
  await sealed(place, 'sea')
  expect(await verified(place)).toMatchObject({ code: 0 })

  await rm(join(base, 'new/catalog.db'))
  const rebuilt = await runToEnd(['rebuild'], place)
  expect([rebuilt.code, rebuilt.stdout]).toEqual([0, expect.not.stringContaining('audit/')])
  await sealRows(place)
  await sealed(place, 'moon')
  expect(await verified(place)).toMatchObject({
    code: 2,
    stdout: expect.stringMatching(/row 1 of seal 1 is missing/),
  })
  expect(await verified(place, '--from', '3')).toMatchObject({ code: 0 })
}, 120_000)

test('a key that cannot be used is told at the start, in one line', async () => {
  const path = join(base, 'key.pem')
  const environment = { ...homeOf('old'), MORAINE_AUDIT_KEY: path }
  const missing = await runToEnd(['serve'], environment)
  expect([missing.code, missing.stderr.split('\n').length]).toEqual([1, 2])
  expect(missing.stderr).toMatch(/MORAINE_AUDIT_KEY=.* cannot be used: there is no such file; give/)
  execFileSync('openssl', ['genpkey', '-algorithm', 'rsa', '-out', path], { stdio: 'pipe' })
  const wrong = await runToEnd(['serve'], environment)
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/not a key of Ed25519/)])
  expect(wrong.stderr).not.toContain('PRIVATE')
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', path], { stdio: 'pipe' })
  await sealed(environment, 'sky')
  expect(await verified(environment)).toMatchObject({ code: 0 })
  expect(await readdir(join(base, 'old'))).not.toContain('audit-key.pem')
}, 120_000)
