import fc from 'fast-check'
import { currentSchema } from '../../../src/core/table/table.ts'
import { BORN_MS, TableModel, tableOf } from './metadata-samples.ts'
import { expectValidTable } from './table-invariants.ts'
import { type Story, stories } from './update-arbitrary.ts'

/** All that does not depend on when the batches were applied. */
function contentOf({ state, snapshots }: TableModel): unknown {
  const { lastUpdatedMs: _, ...rest } = state
  return { ...rest, snapshots: [...snapshots].sort(([a], [b]) => (a < b ? -1 : 1)) }
}

function tell({ version, updates }: Story, batchEnds: readonly number[]): TableModel {
  const model = new TableModel(tableOf(version))
  let start = 0
  for (const end of [...batchEnds, updates.length]) {
    model.apply(updates.slice(start, end), BORN_MS + 10)
    start = end
  }
  return model
}

describe('any sequence of updates that are valid one after the other', () => {
  test('leaves a valid table after each of them', () => {
    fc.assert(
      fc.property(stories, ({ version, updates }) => {
        const model = new TableModel(tableOf(version))
        let before = model.state
        for (const [i, update] of updates.entries()) {
          model.apply([update], BORN_MS + ((i * 7) % 5))
          expectValidTable(model)
          const { state } = model
          expect(state.lastSequenceNumber).toBeGreaterThanOrEqual(before.lastSequenceNumber)
          expect(state.definition.lastColumnId).toBeGreaterThanOrEqual(
            before.definition.lastColumnId,
          )
          expect(state.definition.lastPartitionId).toBeGreaterThanOrEqual(
            before.definition.lastPartitionId,
          )
          if (state !== before) expect(state.lastUpdatedMs).toBeGreaterThan(before.lastUpdatedMs)
          before = state
        }
        expect(currentSchema(model.state.definition).fields.length).toBeGreaterThan(0)
      }),
      { numRuns: 200 },
    )
  })

  test('says the same in one batch, in two, and one by one', () => {
    fc.assert(
      fc.property(stories, fc.nat(40), (story, cut) => {
        const whole = tell(story, [])
        expectValidTable(whole)
        const halves = tell(story, [Math.min(cut, story.updates.length)])
        const single = tell(
          story,
          story.updates.map((_, i) => i),
        )
        expect(contentOf(halves)).toEqual(contentOf(whole))
        expect(contentOf(single)).toEqual(contentOf(whole))
      }),
      { numRuns: 200 },
    )
  })
})
