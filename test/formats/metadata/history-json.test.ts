import fc from 'fast-check'
import type { Operation, Snapshot } from '../../../src/core/table/snapshot.ts'
import { parseExactJson, stringifyExactJson } from '../../../src/formats/json/exact-json.ts'
import { logEntryText, snapshotText } from '../../../src/formats/metadata/history-json.ts'
import { snapshotToJson } from '../../../src/formats/metadata/snapshot-json.ts'

const id = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const timestampMs = fc.integer({ min: 0, max: 2 ** 45 })
const snapshots: fc.Arbitrary<Snapshot> = fc.record(
  {
    snapshotId: id,
    parentSnapshotId: fc.option(id),
    sequenceNumber: id,
    timestampMs,
    operation: fc.constantFrom<Operation>('append', 'replace', 'overwrite', 'delete'),
    summary: fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
    manifestList: fc.string({ unit: 'binary' }),
    schemaId: fc.nat(),
    firstRowId: id,
    addedRows: id,
  },
  {
    requiredKeys: [
      ...(['snapshotId', 'parentSnapshotId', 'sequenceNumber', 'timestampMs'] as const),
      ...(['operation', 'summary', 'manifestList', 'schemaId'] as const),
    ],
  },
)

test('the text of a snapshot says what its JSON says', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      expect(parseExactJson(snapshotText(snapshot, 2))).toEqual(
        parseExactJson(stringifyExactJson(snapshotToJson(snapshot))),
      )
    }),
  )
})

test('in version 1 a snapshot has no sequence number', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const { 'sequence-number': _, ...rest } = snapshotToJson(snapshot)
      const read = parseExactJson(snapshotText(snapshot, 1))
      expect(read).toEqual(parseExactJson(stringifyExactJson(rest)))
      expect(Object.keys(read as object)).not.toContain('sequence-number')
    }),
  )
})

test('ids of the log are exact', () => {
  fc.assert(
    fc.property(timestampMs, id, (atMs, snapshotId) => {
      const text = logEntryText({ timestampMs: atMs, snapshotId })
      expect(text).toBe(`{"timestamp-ms":${atMs},"snapshot-id":${snapshotId}}`)
      parseExactJson(text)
    }),
  )
})
