import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import {
  type FileIdentity,
  type SnapshotContent,
  snapshotIdOf,
} from '../../../src/formats/metadata/snapshot-id.ts'

const file = (path: string, recordCount = 1, fileSizeBytes = 2): FileIdentity => ({
  path,
  recordCount,
  fileSizeBytes,
})

const CONTENT: SnapshotContent = {
  tableUuid: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
  parentSnapshotId: 7n,
  schemaId: 0,
  operation: 'append',
  added: [file('file:///a', 10, 100), file('file:///b', 20, 200)],
  removed: [],
  counter: 0,
}

describe('snapshotIdOf', () => {
  test('is the same in every release', async () => {
    // Computed by hand in Python, from the rule.
    expect(await snapshotIdOf(CONTENT)).toBe(630243318861330n)
    const first = { ...CONTENT, parentSnapshotId: null, added: [] }
    expect(await snapshotIdOf(first)).toBe(3809767638760186n)
  })

  test('does not depend on the order of files', async () => {
    const files = fc.array(
      fc.record({ path: fc.string(), recordCount: fc.nat(), fileSizeBytes: fc.nat() }),
    )
    await fc.assert(
      fc.asyncProperty(files, files, async (added, removed) => {
        const id = await snapshotIdOf({ ...CONTENT, added, removed })
        const reversed = { added: added.toReversed(), removed: removed.toReversed() }
        expect(await snapshotIdOf({ ...CONTENT, ...reversed })).toBe(id)
        expect(id).toBeGreaterThan(0n)
        expect(id).toBeLessThan(2n ** 53n)
      }),
    )
  })

  test('depends on every part, and on where one ends and the next begins', async () => {
    const variants: Partial<SnapshotContent>[] = [
      {},
      { tableUuid: '6f9619ff-8b86-4d01-b42d-00cf4fc964fe' },
      { parentSnapshotId: 8n },
      { parentSnapshotId: null },
      { schemaId: 1 },
      { operation: 'overwrite' },
      { counter: 1 },
      { added: [] },
      { added: [file('file:///a', 10, 100)] },
      { added: [], removed: CONTENT.added },
      { added: [file('file:///a', 10, 100)], removed: [file('file:///b', 20, 200)] },
      { added: [file('file:///a', 11, 100), file('file:///b', 20, 200)] },
      { added: [file('file:///a', 10, 101), file('file:///b', 20, 200)] },
      { added: [file('file:///a', 100, 10), file('file:///b', 20, 200)] },
      { added: [file('file:///a1', 0, 100), file('file:///b', 20, 200)] },
      {
        added: [file('file:///a', 10, 100), file('file:///b', 20, 200), file('file:///b', 20, 200)],
      },
    ]
    const ids = await Promise.all(
      variants.map((variant) => snapshotIdOf({ ...CONTENT, ...variant })),
    )
    expect(new Set(ids).size).toBe(variants.length)
  })

  test('of very many files lets others work in between', async () => {
    const added = Array.from({ length: 40_000 }, (_, i) =>
      file(`file:///${(i * 7919) % 40_000}`, i, 9),
    )
    expect(await turnsOf(snapshotIdOf({ ...CONTENT, added }))).toBeGreaterThan(3)
  })
})

/** Turns of the event loop until it is done. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let isDone = false
  const done = work.finally(() => {
    isDone = true
  })
  let turns = 0
  for (; !isDone; turns++) await nextTurn()
  await done
  return turns
}
