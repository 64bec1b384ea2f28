import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LogLines } from '../../src/log-lines.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-lines-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function readAll(descriptor: number): string {
  const chunk = Buffer.alloc(1024 * 1024)
  let all = ''
  for (;;) {
    try {
      const length = readSync(descriptor, chunk)
      if (length === 0) return all
      all += chunk.toString('utf8', 0, length)
    } catch {
      return all
    }
  }
}

test('lines for a full pipe wait for its reader, in order, up to a bound', async () => {
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  const lines = new LogLines(writer)
  const long = 'x'.repeat(1_000)
  for (let number = 0; number < 2_000; number++) lines.write(`${number} ${long}\n`)
  // A pipe takes 64 KiB, and 1 MiB waits.
  expect(lines.dropped).toBeGreaterThan(500)
  expect(lines.dropped).toBeLessThan(1_500)
  const kept = 2_000 - lines.dropped
  let read = ''
  while (read.split('\n').length <= kept) {
    read += readAll(reader)
    await sleep(10)
  }
  const numbers = read
    .trimEnd()
    .split('\n')
    .map((line) => Number(line.split(' ')[0]))
  expect(numbers).toEqual(Array.from({ length: kept }, (_, number) => number))
  lines.write('after all\n')
  expect(readAll(reader)).toBe('after all\n')
  closeSync(reader)
  lines.write('nobody there\n')
  expect(lines.dropped).toBe(2_000 - kept + 1)
  closeSync(writer)
})

test('a disk without space loses lines, and only those', () => {
  const lines = new LogLines(openSync('/dev/full', 'w'))
  for (let number = 0; number < 3; number++) lines.write('lost\n')
  expect(lines.dropped).toBe(3)
})
