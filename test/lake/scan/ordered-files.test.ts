import fc from 'fast-check'
import { Turns } from '../../../src/core/turns.ts'
import type { DecodedManifest } from '../../../src/formats/manifest/manifest-reader.ts'
import {
  byPlace,
  type CommitPlace,
  inCommitOrder,
  placesOf,
} from '../../../src/lake/scan/ordered-files.ts'

/** What the order reads of a manifest, and how many paths it has made texts of. */
function manifestOf(places: readonly CommitPlace[]) {
  const made = { paths: 0 }
  const manifest = {
    sequenceNumber: (i: number) => places[i]?.sequenceNumber ?? null,
    path: (i: number) => {
      made.paths++
      return places[i]?.path ?? ''
    },
  } as DecodedManifest
  return { manifest, kept: Uint32Array.from(places.keys()), made }
}

async function taken(
  entries: readonly ReturnType<typeof manifestOf>[],
  { after, most = Number.POSITIVE_INFINITY }: { after?: CommitPlace; most?: number } = {},
) {
  const found: CommitPlace[] = []
  for await (const { sequenceNumber, path } of inCommitOrder(entries, {
    ...{ after, turns: new Turns() },
  })) {
    found.push({ sequenceNumber, path })
    if (found.length >= most) break
  }
  return found
}

test('files come by sequence number, then path, whatever manifests they are in', async () => {
  const place = fc.record({
    sequenceNumber: fc.bigInt({ min: 0n, max: 3n }),
    path: fc.nat(400).map(String),
  })
  const lists = fc.array(fc.array(place, { minLength: 150, maxLength: 400 }), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(lists, fc.nat(), async (files, nth) => {
      const entries = files.map(manifestOf)
      const sorted = files.flat().sort(byPlace)
      expect(await taken(entries)).toEqual(sorted)
      const after = sorted[nth % Math.max(1, sorted.length)]
      if (after === undefined) return
      const rest = sorted.filter((each) => byPlace(each, after) > 0)
      expect(await taken(entries, { after })).toEqual(rest)
    }),
    { numRuns: 20, endOnFailure: true },
  )
})

test('who takes the first file of a hundred thousand makes few texts', async () => {
  const places = Array.from({ length: 100_000 }, (_, i) => {
    return { sequenceNumber: BigInt(1 + Math.floor(i / 100)), path: `file-${i % 100}` }
  })
  const entries = [manifestOf(places)]
  expect(await taken(entries, { most: 1 })).toEqual([places[0]])
  expect(entries[0]?.made.paths).toBeLessThan(2_000)
})

test('a file is found again by the number of its commit, with few texts of others', async () => {
  const places = Array.from({ length: 100_000 }, (_, i) => {
    return { sequenceNumber: BigInt(1 + (i % 1_000)), path: `file-${i}` }
  })
  const entries = [manifestOf(places.slice(0, 50_000)), manifestOf(places.slice(50_000))]
  const found: CommitPlace[] = []
  for await (const place of placesOf(entries, { of: 7n, turns: new Turns() })) found.push(place)
  expect(found.map(({ path }) => path)).toEqual(
    places.filter(({ sequenceNumber }) => sequenceNumber === 7n).map(({ path }) => path),
  )
  expect((entries[0]?.made.paths ?? 0) + (entries[1]?.made.paths ?? 0)).toBe(100)
  // What comes after it is the rest of the order.
  const [after] = found
  const [next] = await taken(entries, { ...(after !== undefined && { after }), most: 1 })
  const sorted = [...places].sort(byPlace)
  const at = sorted.findIndex(({ path }) => path === after?.path)
  expect(next).toEqual(sorted[at + 1])
})
