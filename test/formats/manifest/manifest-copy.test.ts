import fc from 'fast-check'
import type { ManifestEntry, ManifestFile } from '../../../src/core/file/data-file.ts'
import { openAvroContainer, storeRecords } from '../../../src/formats/avro/avro-container.ts'
import {
  findCopiedManifest,
  isCopyable,
  recodeManifest,
} from '../../../src/formats/manifest/manifest-copy.ts'
import { decodeManifest } from '../../../src/formats/manifest/manifest-reader.ts'
import {
  type CopiedManifest,
  describeManifest,
  encodeManifest,
} from '../../../src/formats/manifest/manifest-writer.ts'
import { addedFile, DAY_SPEC, manifestEntry, SCHEMA, WIDE_SPEC } from './manifest-samples.ts'

const WIDE = { schema: SCHEMA, spec: WIDE_SPEC, content: 'data' as const }
const NUMBERS = { snapshotId: 77n, sequenceNumber: 9n }

/** With few records, so that their sum is exact. */
const existing = manifestEntry.map(({ dataFile, ...entry }): ManifestEntry => {
  const recordCount = dataFile.recordCount % 1_000_000
  return { ...entry, status: 'existing', dataFile: { ...dataFile, recordCount } }
})

function write(
  content: { readonly entries: readonly ManifestEntry[]; readonly copied?: CopiedManifest[] },
  form: Parameters<typeof findCopiedManifest>[2] & { content: 'data' } = WIDE,
): { readonly bytes: Uint8Array; readonly file: ManifestFile } {
  const bytes = encodeManifest({ ...form, ...content })
  const named = { path: 'file:///m.avro', lengthBytes: bytes.length }
  return { bytes, file: describeManifest({ ...form, ...content, ...NUMBERS, ...named }) }
}

function entriesOf({ bytes, file }: ReturnType<typeof write>): ManifestEntry[] {
  const manifest = decodeManifest(bytes, file)
  return Array.from({ length: manifest.entryCount }, (_, i) => manifest.entry(i))
}

function copy({ bytes, file }: ReturnType<typeof write>): CopiedManifest | undefined {
  return findCopiedManifest(bytes, file, WIDE)
}

test('a manifest of copied ones is what it would be if all were encoded again', () => {
  fc.assert(
    fc.property(
      fc.array(existing, { maxLength: 4 }),
      fc.array(fc.array(existing, { minLength: 1, maxLength: 5 }), { maxLength: 4 }),
      (own, others) => {
        const copied = others.map((entries) => copy(write({ entries })) as CopiedManifest)
        const joined = write({ entries: own, copied })
        const again = write({ entries: [...own, ...others.flat()] })
        expect(entriesOf(joined)).toEqual(entriesOf(again))
        expect({ ...joined.file, lengthBytes: 0 }).toEqual({ ...again.file, lengthBytes: 0 })
      },
    ),
    { numRuns: 100 },
  )
})

test('copied blocks stay as they are stored', () => {
  const entries = [addedFile(1), addedFile(2)].map(
    (entry): ManifestEntry => ({
      ...entry,
      ...NUMBERS,
      fileSequenceNumber: 3n,
      status: 'existing',
    }),
  )
  const form = { schema: SCHEMA, spec: DAY_SPEC, content: 'data' as const }
  const { bytes, file } = write({ entries }, form)
  const found = findCopiedManifest(bytes, file, form) as CopiedManifest
  const joined = write({ entries, copied: [found] }, form)
  const [, second, ...others] = openAvroContainer(joined.bytes).blocks
  expect(others).toEqual([])
  expect(second).toEqual(openAvroContainer(bytes).blocks[0])
})

test('what must be written again is not copied', () => {
  const [entry] = fc.sample(existing, 1) as [ManifestEntry]
  const { bytes, file } = write({ entries: [entry] })
  expect(findCopiedManifest(bytes, file, WIDE)).toBeDefined()
  const added = write({ entries: [{ ...entry, status: 'added' }] })
  expect(copy(added)).toBeUndefined()
  const deleted = write({ entries: [entry, { ...entry, status: 'deleted' }] })
  expect(copy(deleted)).toBeUndefined()
  // The bytes of another spec, of another version, and of another content.
  expect(findCopiedManifest(bytes, file, { ...WIDE, spec: DAY_SPEC })).toBeUndefined()
  expect(findCopiedManifest(bytes, file, { ...WIDE, version: 3 })).toBeUndefined()
  expect(findCopiedManifest(bytes, { ...file, content: 'deletes' }, WIDE)).toBeUndefined()
  // A list that counts otherwise is believed in nothing.
  expect(findCopiedManifest(bytes, { ...file, existingFilesCount: 2 }, WIDE)).toBeUndefined()
})

test('a manifest whose list says too little is not copied', () => {
  const [entry] = fc.sample(existing, 1) as [ManifestEntry]
  const { file } = write({ entries: [entry] })
  expect(isCopyable(file)).toBe(true)
  const { partitions: _, ...without } = file
  expect(isCopyable(without)).toBe(false)
  expect(isCopyable({ ...file, partitions: [{ containsNull: false }] })).toBe(false)
  expect(isCopyable({ ...file, keyMetadata: new Uint8Array(1) })).toBe(false)
  expect(isCopyable({ ...file, firstRowId: 1n })).toBe(false)
})

const added = existing.map((entry): ManifestEntry => ({ ...entry, status: 'added' }))
const inheriting = added.map((entry): ManifestEntry => {
  return { ...entry, snapshotId: null, sequenceNumber: null, fileSequenceNumber: null }
})

test('recoded entries are existing ones of the same files, with their own numbers', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(existing, added, inheriting), { minLength: 1, maxLength: 6 }),
      (entries) => {
        const written = write({ entries })
        const { file, records } = recodeManifest(written.bytes, written.file, WIDE) ?? {}
        const copied = { file: file as ManifestFile, blocks: [...storeRecords(records ?? [])] }
        const joined = write({ entries: [], copied: [copied] })
        const expected = entriesOf(written).map((entry) => ({ ...entry, status: 'existing' }))
        expect(entriesOf(joined)).toEqual(expected)
        const again = write({ entries: expected as ManifestEntry[] })
        expect({ ...joined.file, lengthBytes: 0 }).toEqual({ ...again.file, lengthBytes: 0 })
      },
    ),
    { numRuns: 100 },
  )
})

test('what is gone, or stands otherwise, is not recoded', () => {
  const [entry, other] = fc.sample(existing, 2) as [ManifestEntry, ManifestEntry]
  const recode = ({ bytes, file }: ReturnType<typeof write>) => recodeManifest(bytes, file, WIDE)
  expect(recode(write({ entries: [entry] }))).toBeDefined()
  const gone = write({ entries: [entry, { ...other, status: 'deleted' }] })
  expect(recode(gone)).toBeUndefined()
  // A list that does not tell of the deletion.
  const count = { deletedFilesCount: 0, existingFilesCount: 2 }
  expect(recode({ ...gone, file: { ...gone.file, ...count } })).toBeUndefined()
  // Only added entries inherit.
  expect(recode(write({ entries: [{ ...entry, sequenceNumber: null }] }))).toBeUndefined()
  const { bytes, file } = write({ entries: [entry] })
  expect(recodeManifest(bytes, file, { ...WIDE, version: 3 })).toBeUndefined()
  expect(recodeManifest(bytes, { ...file, keyMetadata: new Uint8Array(1) }, WIDE)).toBeUndefined()
})
