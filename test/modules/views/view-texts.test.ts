import { createView, renameView, replaceView } from '../../../src/modules/views/views.ts'
import { jsonTextsOf } from '../../json-texts.ts'
import { openWorkshop } from '../../lake/workshop.ts'

const LENGTH = 20_000
const VERSIONS = 9

test('a change of a view parses, writes and compares its metadata once each', async () => {
  const shop = await openWorkshop()
  try {
    const padding = 'x'.repeat(LENGTH)
    const textOf = (i: number) => [{ dialect: 'duckdb', sql: `SELECT '${i}${padding}'` }]
    let view = await createView(shop.deps, { name: 'v', queries: textOf(0) })
    for (let i = 1; i <= VERSIONS; i++) {
      view = await replaceView(shop.deps, 'v', { queries: textOf(i) })
    }
    const whole = LENGTH * (VERSIONS + 1)
    const replaced = await jsonTextsOf(() => replaceView(shop.deps, 'v', { queries: textOf(99) }))
    const target = { namespace: ['default'], name: 'w' }
    const renamed = await jsonTextsOf(() => renameView(shop.deps, view, { target }))
    const wholes = [replaced, renamed].flatMap(({ parsed, written }) => [parsed, written])
    // To find one that is the same, versions are compared as texts: once more all of them.
    expect(wholes.map((length) => Math.floor(length / whole))).toEqual([1, 2, 1, 0])
  } finally {
    await shop.close()
  }
})
