import type { PartitionSpec } from '../../core/partition/partition-spec.ts'
import type { Schema } from '../../core/value/type.ts'
import {
  type AvroLimits,
  inflateAside,
  inflateWithin,
  openAvroContainer,
  type StoredContainer,
} from '../avro/avro-container.ts'
import { corrupt } from '../corrupt.ts'
import { parseExactJson } from '../json/exact-json.ts'
import { JsonNode } from '../json/json-node.ts'
import { schemaFromJson } from '../metadata/schema-json.ts'
import { readPartitionFields } from '../metadata/spec-json.ts'
import { type ManifestColumns, ManifestScan } from './manifest-scan.ts'
import { PartitionColumnsBuilder } from './partition-columns.ts'

/** Entries of one manifest: those of 8 MB deflated, as writers make them, have some 100,000. */
const ENTRIES_MAX = 2_000_000
const SCHEMA_ID = /^\d{1,9}$/

export interface ManifestContent {
  readonly spec: PartitionSpec
  readonly schema: Schema | undefined
  readonly schemaId: number | undefined
  readonly columns: ManifestColumns
}

/** Opens a manifest's header and fills the columns from its blocks, one by one. */
export class ManifestDecoder {
  readonly #spec: PartitionSpec
  readonly #written: WrittenSchema
  readonly #container: StoredContainer
  readonly #scan: ManifestScan
  #inflatedBytes = 0

  constructor(
    file: Uint8Array,
    {
      specId,
      restIds,
      limits,
    }: {
      readonly specId: number
      readonly restIds: ReadonlySet<number>
      readonly limits?: AvroLimits | undefined
    },
  ) {
    const container = openAvroContainer(file, limits)
    this.#container = container
    const entries = container.blocks.reduce((sum, { count }) => sum + count, 0)
    if (entries > ENTRIES_MAX) {
      throw corrupt(`manifest of ${entries} entries: at most ${ENTRIES_MAX} are read`)
    }
    const spec = { specId, fields: readSpecFields(container) }
    const written = findSchema(container)
    this.#spec = spec
    this.#written = written
    this.#scan = new ManifestScan({
      schema: container.schema,
      partitionsOf: (type) => new PartitionColumnsBuilder(type, spec, written.schema),
      restIds,
    })
  }

  decode(): ManifestContent {
    for (const { body, count } of this.#container.blocks) {
      const data = inflateWithin(this.#container, body, this.#inflatedBytes)
      this.#inflatedBytes += data.length
      for (const _ of this.#scan.scanBlock(data, count)) {
        // Runs to the end without yielding.
      }
    }
    return this.#finish()
  }

  async decodeInTurns(turn: () => Promise<void> | undefined): Promise<ManifestContent> {
    for (const { body, count } of this.#container.blocks) {
      const inflatedBytes = this.#inflatedBytes
      const data = await inflateAside(this.#container, body, { inflatedBytes, turn })
      this.#inflatedBytes += data.length
      for (const _ of this.#scan.scanBlock(data, count)) {
        const waiting = turn()
        if (waiting !== undefined) await waiting
      }
      const waiting = turn()
      if (waiting !== undefined) await waiting
    }
    return this.#finish()
  }

  #finish(): ManifestContent {
    return { spec: this.#spec, ...this.#written, columns: this.#scan.finish() }
  }
}

type WrittenSchema = Pick<ManifestContent, 'schema' | 'schemaId'>

/** Not every writer gives the schema's id by itself. */
function findSchema({ metadata }: StoredContainer): WrittenSchema {
  const given = metadata.get('schema-id') ?? ''
  const ownId = SCHEMA_ID.test(given) ? Number(given) : undefined
  try {
    const json = new JsonNode(parseExactJson(metadata.get('schema') ?? ''))
    const schemaId = ownId ?? json.find('schema-id')?.id()
    return { schema: schemaFromJson(json.value), schemaId }
  } catch {
    return { schema: undefined, schemaId: ownId }
  }
}

function readSpecFields({ metadata }: StoredContainer): PartitionSpec['fields'] {
  const key = 'partition-spec'
  let json: unknown
  try {
    json = parseExactJson(metadata.get(key) ?? '')
  } catch (error) {
    throw corrupt('manifest without a readable partition spec', error)
  }
  const node = new JsonNode(json, { path: key })
  return readPartitionFields(node.isObject() ? node.get('fields') : node)
}
