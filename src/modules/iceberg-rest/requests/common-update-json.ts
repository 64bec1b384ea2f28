import { parseUuid } from '../../../core/value/bytes-text.ts'
import type { Schema } from '../../../core/value/type.ts'
import type { JsonNode } from '../../../formats/json/json-node.ts'
import { readSchema } from '../../../formats/metadata/schema-json.ts'

/** Updates that tables and views share. */
export type CommonUpdate =
  | { readonly action: 'assign-uuid'; readonly uuid: string }
  | { readonly action: 'upgrade-format-version'; readonly formatVersion: number }
  | { readonly action: 'add-schema'; readonly schema: Schema }
  | { readonly action: 'set-location'; readonly location: string }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: 'remove-properties'; readonly removals: readonly string[] }

/** Readers of updates, by action. */
export type UpdateReaders<Update extends { readonly action: string }> = {
  readonly [Action in Update['action']]: (
    node: JsonNode,
  ) => Omit<Extract<Update, { readonly action: Action }>, 'action'>
}

export const COMMON_UPDATE_READERS: UpdateReaders<CommonUpdate> = {
  'assign-uuid': (node) => ({ uuid: readUuid(node.get('uuid')) }),
  'upgrade-format-version': (node) => ({ formatVersion: node.get('format-version').id() }),
  // `last-column-id` is deprecated: the highest field id says the same, and cannot be wrong.
  'add-schema': (node) => ({ schema: readSchema(node.get('schema')) }),
  'set-location': (node) => ({ location: node.get('location').string() }),
  // Clients older than the specification send `updated` and `removed`.
  'set-properties': (node) => ({
    updates: (node.find('updated') ?? node.get('updates')).stringMap(),
  }),
  'remove-properties': (node) => ({
    removals: (node.find('removed') ?? node.get('removals')).items().map((key) => key.string()),
  }),
}

/**
 * Reads one update. Unknown members are ignored; an unknown action is refused.
 */
export function readUpdate<Update extends { readonly action: string }>(
  node: JsonNode,
  readers: UpdateReaders<Update>,
): Update {
  const action = node.get('action')
  const name = action.string()
  if (!Object.hasOwn(readers, name)) {
    throw action.error(`unknown update ${JSON.stringify(name.slice(0, 100))}`)
  }
  return { action: name, ...readers[name as Update['action']](node) } as unknown as Update
}

export function readUuid(node: JsonNode): string {
  const uuid = node.string()
  if (parseUuid(uuid) === undefined) throw node.error('expected a UUID')
  return uuid
}
