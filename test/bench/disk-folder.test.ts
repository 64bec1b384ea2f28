import { spawnSync } from 'node:child_process'
import { existsSync, statfsSync } from 'node:fs'
import { requireDiskFolder } from '../../bench/disk-folder.ts'

const TMPFS = 0x01021994

test('a bench refuses a temporary folder that is kept in memory', () => {
  expect(() => requireDiskFolder('/tmp', TMPFS)).toThrow('set TMPDIR to a folder on a disk')
  expect(() => requireDiskFolder('/tmp', 0x858458f6)).toThrow('kept in memory')
  expect(() => requireDiskFolder('/tmp', 0xef53)).not.toThrow()
})

const MEMORY = '/dev/shm'
const testInMemory = existsSync(MEMORY) && statfsSync(MEMORY).type === TMPFS ? test : test.skip

testInMemory('and so the benches do not begin in one', () => {
  const bench = new URL('../../bench/run-all.ts', import.meta.url).pathname
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', bench, 'stage'],
    { env: { ...process.env, NODE_OPTIONS: '', TMPDIR: MEMORY }, encoding: 'utf8' },
  )
  expect({ status, said: stdout + stderr }).toEqual({
    status: 2,
    said: expect.stringContaining(`${MEMORY} is kept in memory (tmpfs): set TMPDIR`),
  })
})
