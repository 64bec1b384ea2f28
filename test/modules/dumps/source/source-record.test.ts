import type { DumpIndex, DumpPiece } from '../../../../src/modules/dumps/format/dump-index.ts'
import { piecesOf } from '../../../../src/modules/dumps/source/source-record.ts'

const FILES = 20_000

test('the pieces of every file of a dump are found with one look at each piece', () => {
  let looks = 0
  const piece = (i: number): DumpPiece => ({
    get location() {
      looks++
      return `file:///data/${i % FILES}.parquet`
    },
    ...{ offset: i, lengthBytes: 1, rowCount: 1 },
  })
  const pieces = Array.from({ length: 2 * FILES }, (_, i) => piece(i))
  const index = { pieces } as unknown as DumpIndex
  for (let i = 0; i < FILES; i++) {
    const offsets = piecesOf(index, `file:///data/${i}.parquet`).map(({ offset }) => offset)
    expect([i, offsets]).toEqual([i, [i, i + FILES]])
  }
  expect(piecesOf(index, 'file:///data/none.parquet')).toEqual([])
  expect(looks).toBeLessThanOrEqual(3 * pieces.length)
})
