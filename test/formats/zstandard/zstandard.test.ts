import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { decompress } from 'fzstd'
import {
  inflateZstandard,
  inflateZstandardInTurns,
} from '../../../src/formats/zstandard/zstandard.ts'
import { cpuMsOf, cpuMsSince } from '../../cpu-time.ts'

const FOLDER = new URL('../files/', import.meta.url)
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.zst'))
const TEXT = Array.from({ length: 5000 }, (_, i) => {
  const hash = BigInt.asUintN(32, BigInt(i) * 2654435761n)
    .toString(16)
    .padStart(8, '0')
  return `file:///warehouse/${i % 100}/${hash}.parquet\n`
}).join('')

const COMPRESSED = 2
const corrupt = expect.objectContaining({ code: 'metadata-corrupt' })

function outcome(read: () => unknown): string {
  try {
    read()
    return 'read'
  } catch (error) {
    return (error as { code?: string }).code ?? String((error as Error).stack)
  }
}

describe('inflateZstandard', () => {
  // Frames of RFC 8878: magic, descriptor, window or size, blocks.
  const frame = (descriptor: string, ...blocks: string[]) =>
    Buffer.from(`28b52ffd${descriptor}${blocks.join('')}`, 'hex')
  const LAST_RAW_ABC = '190000616263'
  const read = (body: Buffer, bytesMax = 1000) => Buffer.from(inflateZstandard(body, bytesMax))

  test.each(NAMES)('reads %s as it was before, and as fzstd does', (name) => {
    const frame = new Uint8Array(readFileSync(new URL(name, FOLDER)))
    expect(Buffer.from(inflateZstandard(frame, TEXT.length)).toString()).toBe(TEXT)
    expect(Buffer.from(decompress(frame)).toString()).toBe(TEXT)
    expect(() => inflateZstandard(frame, TEXT.length - 1)).toThrow(corrupt)
  })

  test('reads frames that are changed or cut, or finds them corrupt, soon', () => {
    expect(NAMES).toHaveLength(3)
    const frames = NAMES.map((name) => new Uint8Array(readFileSync(new URL(name, FOLDER))))
    const edits = fc.array(fc.tuple(fc.nat(60_000), fc.nat(255)), { maxLength: 4 })
    const seen = new Set<string>()
    const before = process.cpuUsage()
    fc.assert(
      fc.property(fc.constantFrom(...frames), edits, fc.nat(60_000), (frame, changes, cut) => {
        const bytes = frame.slice(0, cut % 3 === 0 ? cut % frame.length : frame.length)
        // Half of the changes hit the headers and tables at the start.
        for (const [at, value] of changes) {
          bytes[at % (at % 2 === 0 ? 300 : bytes.length)] = value
        }
        seen.add(outcome(() => inflateZstandard(bytes, 1_000_000)))
      }),
      { numRuns: 500 },
    )
    expect([...seen].sort()).toEqual(['metadata-corrupt', 'read'])
    expect(cpuMsSince(before)).toBeLessThan(3_000)
  })

  test('reads long frames between other work, as at once', async () => {
    const bytes = new Uint8Array(readFileSync(new URL(NAMES[0] as string, FOLDER)))
    let turns = 0
    const turn = () => {
      turns += 1
      return undefined
    }
    const inTurns = await inflateZstandardInTurns(bytes, TEXT.length, turn)
    expect(Buffer.from(inTurns).toString()).toBe(TEXT)
    // Blocks of 128 KiB that repeat a byte: the last bit says which is the last.
    const repeat = (isLast: boolean) => {
      const block = Buffer.alloc(4, 'x')
      block.writeUIntLE(((128 * 1024) << 3) | 2 | Number(isLast), 0, 3)
      return block.toString('hex')
    }
    const blocks = Array.from({ length: 40 }, (_, i) => repeat(i === 39))
    turns = 0
    const long = await inflateZstandardInTurns(frame('0058', ...blocks), 2 ** 30, turn)
    expect(long).toHaveLength(40 * 128 * 1024)
    expect(turns).toBe(40)
    await expect(inflateZstandardInTurns(frame('0058', ...blocks), 2 ** 20, turn)).rejects.toThrow(
      corrupt,
    )
  })

  test('refuses a frame by its declared size before it is inflated', () => {
    // A checksum's worth of garbage instead of blocks: nobody gets as far as that.
    const declared = frame('a0', '00000040', 'ffffff')
    expect(() => inflateZstandard(declared, 1_000)).toThrow('more than 1000 bytes after inflation')
  })

  test('reads frames with and without a declared size, one after the other', () => {
    expect(read(frame('2003', LAST_RAW_ABC)).toString()).toBe('abc')
    expect(read(frame('0058', LAST_RAW_ABC)).toString()).toBe('abc')
    const skippable = Buffer.from('502a4d1802000000ffff', 'hex')
    const one = frame('2003', LAST_RAW_ABC)
    expect(read(Buffer.concat([one, skippable, one])).toString()).toBe('abcabc')
    const undeclared = frame('0058', LAST_RAW_ABC)
    expect(read(Buffer.concat([undeclared, one, undeclared])).toString()).toBe('abcabcabc')
  })

  test.each<[string, Buffer]>([
    ['a declared size beyond the limit', frame('a0ffffff7f', LAST_RAW_ABC)],
    ['a declared size beyond its blocks', frame('2004', LAST_RAW_ABC)],
    // 900 blocks of one repeated byte each, 128 KB.
    ['blocks beyond the limit', frame('0058', '02001061'.repeat(900), LAST_RAW_ABC)],
    ['a dictionary', frame('0158', '07', LAST_RAW_ABC)],
    ['a reserved block', frame('0058', '1f0000616263')],
    ['no last block', frame('0058', '180000616263')],
    ['half a block', frame('0058', '1900006162')],
    ['half a frame to skip', Buffer.from('502a4d1802000000ff', 'hex')],
    ['no frame', Buffer.from('28b52f')],
  ])('finds a frame with %s corrupt', (_, body) => {
    expect(() => read(body)).toThrow(corrupt)
  })

  test('finds twenty bytes that claim 98,046 of the longest matches corrupt at once', () => {
    // No literals; one code each, of which the bits soon run out. fzstd copies for minutes.
    const sequences = `00fffeff54000034${'ff'.repeat(8)}`
    const header = (1 | (COMPRESSED << 1) | ((sequences.length / 2) << 3)).toString(16)
    const body = frame('2001', `${header}0000`, sequences)
    expect(cpuMsOf(() => expect(() => read(body)).toThrow(corrupt))).toBeLessThan(100)
  })
})
