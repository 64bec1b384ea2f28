import fc from 'fast-check'
import { findRef } from '../../../../src/core/metadata/table-requirement.ts'
import type { TableMetadata } from '../../../../src/core/table/table.ts'
import { parseExactJson, stringifyExactJson } from '../../../../src/formats/json/exact-json.ts'
import {
  parseTableMetadata,
  tableMetadataToJson,
} from '../../../../src/formats/metadata/table-metadata-json.ts'
import { parseCommitTableRequest } from '../../../../src/modules/iceberg-rest/requests/table-request-json.ts'
import { BORN_MS, TableModel, tableOf } from '../../../core/metadata/metadata-samples.ts'
import { stories } from '../../../core/metadata/update-arbitrary.ts'
import { refusalOf } from '../../../refusal.ts'
import { tableUpdateToJson } from './rest-update-json.ts'

function metadataOf({ state, snapshots, log }: TableModel): TableMetadata {
  const { definition, currentSnapshot, lastSequenceNumber, lastUpdatedMs, refs } = state
  const main = findRef(state, 'main')
  return {
    definition,
    lastSequenceNumber,
    lastUpdatedMs,
    currentSnapshotId: currentSnapshot?.snapshotId,
    snapshots: [...snapshots.values()],
    snapshotLog: log,
    metadataLog: [],
    refs: main === undefined ? refs : Object.fromEntries([...Object.entries(refs), ['main', main]]),
  }
}

describe('updates', () => {
  test('arrive as they were sent, 64-bit ids included', () => {
    fc.assert(
      fc.property(stories, ({ updates }) => {
        const text = stringifyExactJson({
          requirements: [],
          updates: updates.map(tableUpdateToJson),
        })
        const read = parseCommitTableRequest(parseExactJson(text)).updates
        // The order's own id is of no meaning.
        expect(read.map(withoutOrderId)).toEqual(updates)
      }),
      { numRuns: 200 },
    )
  })

  test('make metadata that is read from its file as it was', () => {
    fc.assert(
      fc.property(stories, ({ version, updates }) => {
        const metadata = metadataOf(new TableModel(tableOf(version)).apply(updates, BORN_MS))
        const { nextRowId, ...read } = parseTableMetadata(tableMetadataToJson(metadata))
        const { definition } = metadata
        if (definition.formatVersion === 3) expect(nextRowId).toBe(definition.nextRowId ?? 0n)
        const byId = (snapshots: TableMetadata['snapshots']) =>
          new Map(snapshots.map((s) => [s.snapshotId, s]))
        expect({ ...read, snapshots: byId(read.snapshots) }).toEqual({
          ...metadata,
          // Version 3 always writes it.
          definition: { ...definition, ...(nextRowId !== undefined && { nextRowId }) },
          snapshots: byId(metadata.snapshots),
        })
      }),
      { numRuns: 200 },
    )
  })

  test('with anything changed are taken, or refused as invalid', () => {
    fc.assert(
      fc.property(stories, fc.nat(), fc.jsonValue(), ({ version, updates }, where, value) => {
        const json = JSON.parse(
          JSON.stringify(updates.map(tableUpdateToJson), (_k, v) =>
            typeof v === 'bigint' ? 7 : v,
          ),
        )
        const places = placesOf(json)
        const place = places[where % places.length]
        if (place !== undefined) place.parent[place.key] = value
        const run = () => {
          const request = parseCommitTableRequest({ requirements: [], updates: json })
          new TableModel(tableOf(version)).apply(request.updates)
          throw new Accepted()
        }
        try {
          expect(['update-invalid', 'commit-conflict', 'not-implemented']).toContain(
            refusalOf(run).code,
          )
        } catch (error) {
          if (!(error instanceof Accepted)) throw error
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

class Accepted extends Error {}

interface Place {
  readonly parent: Record<string, unknown>
  readonly key: string
}

function placesOf(value: unknown): readonly Place[] {
  if (typeof value !== 'object' || value === null) return []
  const parent = value as Record<string, unknown>
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...placesOf(parent[key])])
}

function withoutOrderId(update: { readonly action: string; readonly sortOrder?: object }): unknown {
  if (update.action !== 'add-sort-order') return update
  const { orderId: _, ...sortOrder } = update.sortOrder as { orderId: number }
  return { ...update, sortOrder }
}
