import { createHash } from 'node:crypto'
import { parseExactJson, stringifyExactJson } from '../../../formats/json/exact-json.ts'
import { JsonNode } from '../../../formats/json/json-node.ts'
import { ID_FILTER_LENGTH_MAX, STATS_FIELDS_MAX, TASK_FILTER_LENGTH_MAX } from './plan-limits.ts'

/** Everything that the tasks of a scan depend on; the same for all pages. */
export interface ScanSpec {
  readonly tableUuid: string
  /** `undefined` if the table had none. */
  readonly snapshotId: bigint | undefined
  /** Only files appended after this snapshot. */
  readonly startSnapshotId: bigint | undefined
  readonly schemaId: number
  /** Stands for what the ids stood for: an id that was removed may be given again. */
  readonly content: string
  readonly caseSensitive: boolean
  /** Columns whose statistics the client wants. */
  readonly statsFieldIds: readonly number[]
  /** Iceberg expression; `undefined` keeps every file. */
  readonly filter: unknown
}

/** An entry of a manifest, both counted from 0. */
export interface Position {
  readonly manifest: number
  readonly entry: number
}

export interface ScanRange {
  readonly from: Position
  /** The first entry after the range; `undefined` at the end of the scan. */
  readonly to: Position | undefined
}

export const WHOLE_SCAN: ScanRange = { from: { manifest: 0, entry: 0 }, to: undefined }

export interface PlanToken {
  readonly spec: ScanSpec
  readonly range: ScanRange
}

const FORMAT = 2
const TOKEN_LENGTH_MAX = 2 * TASK_FILTER_LENGTH_MAX
const DEPTH_MAX = 1_100
/**
 * Length of the digest in front, which detects damaged tokens. It protects no secret, since a token
 * contains none.
 */
const DIGEST_BYTES = 8

/** Self-contained, so that any replica can continue. */
export function encodePlanTask(token: PlanToken): string {
  return encode(token, TASK_FILTER_LENGTH_MAX)
}

/** Like a plan task, but short enough for a URL. */
export function encodePlanId(spec: ScanSpec): string {
  return encode({ spec, range: WHOLE_SCAN }, ID_FILTER_LENGTH_MAX)
}

function encode({ spec, range }: PlanToken, filterLengthMax: number): string {
  const { from, to } = range
  const text = stringifyExactJson([
    FORMAT,
    spec.tableUuid,
    spec.snapshotId ?? null,
    spec.startSnapshotId ?? null,
    spec.schemaId,
    spec.content,
    spec.caseSensitive,
    spec.statsFieldIds,
    portableFilter(spec.filter, filterLengthMax),
    [from.manifest, from.entry],
    to === undefined ? null : [to.manifest, to.entry],
  ])
  const bytes = Buffer.from(text)
  return Buffer.concat([digestOf(bytes), bytes]).toString('base64url')
}

/**
 * The filter, or `true` if it is too long: better more files than needed than a token of any
 * length.
 */
function portableFilter(filter: unknown, lengthMax: number): unknown {
  if (filter === undefined) return true
  return Buffer.byteLength(stringifyExactJson(filter)) > lengthMax ? true : filter
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, DIGEST_BYTES)
}

/**
 * `undefined` for anything that this service cannot have made. Does not check that what it names
 * exists.
 */
export function decodePlanToken(text: string): PlanToken | undefined {
  if (text.length > TOKEN_LENGTH_MAX) return undefined
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) return undefined
  const content = bytes.subarray(DIGEST_BYTES)
  if (!digestOf(content).equals(bytes.subarray(0, DIGEST_BYTES))) return undefined
  try {
    return readToken(parseExactJson(content.toString(), { depthMax: DEPTH_MAX }))
  } catch {
    return undefined
  }
}

function readToken(json: unknown): PlanToken | undefined {
  const node = new JsonNode(json)
  const [format, uuid, snapshot, start, schema, content, caseSensitive, ...rest] = node.items()
  const [stats, filter, from, to] = rest
  if (format?.value !== FORMAT || node.items().length !== 11) return undefined
  if (!uuid || !snapshot || !start || !schema || !content || !caseSensitive) return undefined
  if (!stats || !filter || !from || !to) return undefined
  return {
    spec: {
      tableUuid: uuid.string(),
      snapshotId: snapshot.value === null ? undefined : snapshot.long(),
      startSnapshotId: start.value === null ? undefined : start.long(),
      schemaId: schema.id(),
      content: content.string(),
      caseSensitive: caseSensitive.boolean(),
      statsFieldIds: stats.items(STATS_FIELDS_MAX).map((id) => id.id()),
      filter: filter.value === true ? undefined : filter.value,
    },
    range: { from: readPosition(from), to: to.value === null ? undefined : readPosition(to) },
  }
}

function readPosition(node: JsonNode): Position {
  const [manifest, entry] = node.items()
  if (manifest === undefined || entry === undefined) throw node.error('is not a position')
  return { manifest: manifest.id(), entry: entry.id() }
}
