import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RowInvalid } from '../../../src/engine/worker/ingest/row-invalid.ts'
import { LINE_BYTES_MAX, readWholeLines } from '../../../src/engine/worker/ingest/text-lines.ts'

const CHUNK_BYTES = 256 * 1024

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-lines-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** The pieces, and the line at which the text was refused. */
async function read(bytes: string | Uint8Array): Promise<{ pieces: string[]; refusedAt?: number }> {
  const path = join(folder, 'text')
  await writeFile(path, bytes)
  const pieces: string[] = []
  try {
    for await (const piece of readWholeLines(path)) pieces.push(piece)
  } catch (error) {
    return { pieces, refusedAt: (error as RowInvalid).line }
  }
  return { pieces }
}

test('pieces are whole lines, and the last may lack its end', async () => {
  const line = `${'x'.repeat(99)}\n`
  const lines = Math.ceil((2.5 * CHUNK_BYTES) / line.length)
  const text = `${line.repeat(lines)}last`
  const { pieces } = await read(text)
  expect(pieces.join('') === text).toBe(true)
  expect(pieces.length).toBeGreaterThan(2)
  for (const piece of pieces.slice(0, -1)) expect(piece.endsWith('\n')).toBe(true)
  expect(pieces.at(-1)).toBe('last')
  expect(await read('')).toEqual({ pieces: [] })
})

test('a byte order mark goes at the beginning of the text, and stays anywhere else', async () => {
  expect(await read('\ufeffa\n\ufeffb\n')).toEqual({ pieces: ['a\n\ufeffb\n'] })
  const filler = `${'x'.repeat(CHUNK_BYTES - 1)}\n`
  const { pieces } = await read(`${filler}\ufeffb\n`)
  expect(pieces.at(-1)).toBe('\ufeffb\n')
})

test('a line that is not UTF-8 is refused by its number, after those before it', async () => {
  const bad = Buffer.concat([Buffer.from('a\nb\n'), Buffer.from([0xff, 0x0a]), Buffer.from('c\n')])
  expect(await read(bad)).toEqual({ pieces: ['a\nb\n'], refusedAt: 3 })
  const lines = 'y\n'.repeat(CHUNK_BYTES / 2)
  const later = Buffer.concat([Buffer.from(lines), bad])
  const { pieces, refusedAt } = await read(later)
  expect(refusedAt).toBe(CHUNK_BYTES / 2 + 3)
  expect(pieces.join('') === `${lines}a\nb\n`).toBe(true)
})

test('a line has a limit, which is for the line and not for the text', async () => {
  const longest = Buffer.alloc(LINE_BYTES_MAX, 0x78)
  expect((await read(longest)).pieces.map((piece) => piece.length)).toEqual([LINE_BYTES_MAX])
  const over = Buffer.concat([Buffer.from('a\n'), longest, Buffer.from('x')])
  expect(await read(over)).toMatchObject({ refusedAt: 2 })
  const half = Buffer.alloc(LINE_BYTES_MAX / 2 + 1, 0x78)
  const two = Buffer.concat([half, Buffer.from('\n'), half])
  expect(await read(two)).not.toHaveProperty('refusedAt')
})
