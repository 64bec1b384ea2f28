import { LinkedSpace } from '../../../../src/modules/dumps/link/linked-space.ts'
import { realAmbient } from '../../../lake/jobs/background.ts'
import { openWorkshop } from '../../../lake/workshop.ts'
import { changedStore } from '../../exports/changed-store.ts'

test('dumps are counted once a minute, also after a clock that was ahead', async () => {
  const workshop = await openWorkshop()
  try {
    const { objects, warehouse } = workshop.deps
    let lists = 0
    const counting = changedStore(objects, {
      list: (root) => {
        lists++
        return objects.list(root)
      },
    })
    let nowMs = 1_000_000_000
    const ambient = { ...realAmbient, nowMs: () => nowMs }
    const space = new LinkedSpace({ ambient, objects: counting, warehouse }, 1_000)
    const countsAt = async (ms: number) => {
      nowMs = ms
      await space.requireRoom()
      return lists
    }
    expect([await countsAt(nowMs), await countsAt(nowMs + 59_000)]).toEqual([1, 1])
    expect([await countsAt(1_000_060_000), await countsAt(900_000_000)]).toEqual([2, 3])
    expect([await countsAt(900_059_000), await countsAt(900_060_000)]).toEqual([3, 4])
  } finally {
    await workshop.close()
  }
})
