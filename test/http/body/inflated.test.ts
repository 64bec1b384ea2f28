import { gzipSync } from 'node:zlib'
import { inflated } from '../../../src/http/body/inflated.ts'

const TEXT = 'n\n1\n22\n333\n'

async function* inPieces(body: Buffer, bytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += bytes) yield body.subarray(at, at + bytes)
}

test.each([1, 2, 3, 1_000])('a body in pieces of %d bytes keeps each of them', async (bytes) => {
  for (const isGzip of [false, true]) {
    const body = isGzip ? gzipSync(TEXT) : Buffer.from(TEXT)
    const pieces: Uint8Array[] = []
    for await (const piece of inflated(inPieces(body, bytes), { isDeclared: isGzip })) {
      pieces.push(piece)
    }
    expect(Buffer.concat(pieces).toString()).toBe(TEXT)
  }
})

test.each(['', 'n'])('a body of %p, too short for a gzip, is as it is', async (text) => {
  const pieces: Uint8Array[] = []
  for await (const piece of inflated(inPieces(Buffer.from(text), 1), { isDeclared: false })) {
    pieces.push(piece)
  }
  expect(Buffer.concat(pieces).toString()).toBe(text)
})
