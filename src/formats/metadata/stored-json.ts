import type { StoredJson } from '../../core/table/table.ts'
import type { JsonNode } from '../json/json-node.ts'

type StoredById = Readonly<Record<string, StoredJson>>

/**
 * Reads statistics files by snapshot id; the last of two for one snapshot counts. `undefined` if
 * there are none.
 */
export function readStatisticsFiles(node: JsonNode | undefined): StoredById | undefined {
  return readById(node, (item) => String(item.get('snapshot-id').long()))
}

/** Reads encryption keys by key id. `undefined` if there are none. */
export function readEncryptionKeys(node: JsonNode | undefined): StoredById | undefined {
  return readById(node, (item) => item.get('key-id').string())
}

export function storedJson(node: JsonNode): StoredJson {
  if (!node.isObject()) throw node.error('expected an object')
  return node.value as StoredJson
}

function readById(
  node: JsonNode | undefined,
  idOf: (item: JsonNode) => string,
): StoredById | undefined {
  const items = node?.items() ?? []
  if (items.length === 0) return undefined
  return Object.fromEntries(items.map((item) => [idOf(item), storedJson(item)]))
}
