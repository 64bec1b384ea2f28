import { createView, replaceView } from '../../../src/modules/views/views.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'

const VERSIONS = 140

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const asking = (n: number) => ({ queries: [{ dialect: 'duckdb', sql: `SELECT ${n}` }] })

async function filesOf(folder: string): Promise<string[]> {
  const files: string[] = []
  for await (const { location } of shop.deps.objects.list(folder)) files.push(location)
  return files
}

test('the newest metadata file of a view and a hundred before it stay', async () => {
  const { metadata } = await createView(shop.deps, { name: 'v', ...asking(0) })
  const folder = `${metadata.location}/metadata`
  // Older by its number, but of another view.
  const strange = `${folder}/00000-strange.metadata.json`
  const json = JSON.stringify({ 'view-uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1' })
  await shop.deps.objects.putIfAbsent(strange, new TextEncoder().encode(json))
  for (let n = 1; n <= VERSIONS; n++) await replaceView(shop.deps, 'v', asking(n))
  const files = await filesOf(folder)
  expect(files).toContain(strange)
  const numbers = files.map((file) => Number(file.slice(folder.length + 1).split('-')[0]))
  expect(numbers.sort((a, b) => a - b)).toEqual([0, ...range(VERSIONS - 100, VERSIONS)])
})

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
