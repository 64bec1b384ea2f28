import type { Json } from './http/rest-client.ts'

/** What a client saw of the table when it made up its mind. */
export interface View {
  readonly lastColumnId: number
  readonly schemaId: number
  readonly sequenceNumber: bigint
  readonly refs: ReadonlyMap<string, bigint>
  readonly snapshots: readonly bigint[]
}

/** The parts of a table that the commits of the test change, by the specification. */
export interface Model extends View {
  readonly properties: ReadonlyMap<string, string>
}

export const EMPTY: Model = {
  properties: new Map(),
  lastColumnId: 1,
  schemaId: 0,
  sequenceNumber: 0n,
  refs: new Map(),
  snapshots: [],
}

export type Intent =
  | { readonly kind: 'property' }
  | { readonly kind: 'append'; readonly branch: string; readonly snapshotId: bigint }
  | { readonly kind: 'column' }
  | { readonly kind: 'tag'; readonly name: string; readonly snapshotId: bigint }
  | { readonly kind: 'remove-tag'; readonly name: string }
  | { readonly kind: 'expire'; readonly snapshotId: bigint }
  /**
   * What the service commits itself, for one transaction of `/v1` or several that share a snapshot.
   */
  | { readonly kind: 'files'; readonly snapshotId: bigint }

/** One commit: what it is to do, decided on what its client saw. */
export interface Operation {
  readonly key: string
  readonly view: View
  readonly intent: Intent
}

export type Outcome = Model | 'commit-conflict' | 'update-invalid'

/** What the table is after the commit, or why it is refused. */
export function applyToModel(model: Model, { key, view, intent }: Operation): Outcome {
  const properties = new Map(model.properties).set(key, intent.kind)
  const done = { ...model, properties }
  const refs = new Map(model.refs)
  switch (intent.kind) {
    case 'property':
      return done
    case 'column': {
      const isSame = model.lastColumnId === view.lastColumnId && model.schemaId === view.schemaId
      if (!isSame) return 'commit-conflict'
      return { ...done, lastColumnId: model.lastColumnId + 1, schemaId: model.schemaId + 1 }
    }
    case 'append':
      return append(done, view, intent)
    case 'tag':
      if (model.refs.has(intent.name)) return 'commit-conflict'
      if (!model.snapshots.includes(intent.snapshotId)) return 'update-invalid'
      return { ...done, refs: refs.set(intent.name, intent.snapshotId) }
    case 'remove-tag':
      refs.delete(intent.name)
      return { ...done, refs }
    case 'expire':
      for (const [name, id] of refs) if (id === intent.snapshotId) refs.delete(name)
      return { ...done, refs, snapshots: model.snapshots.filter((id) => id !== intent.snapshotId) }
    case 'files':
      return {
        ...model,
        refs: refs.set('main', intent.snapshotId),
        sequenceNumber: model.sequenceNumber + 1n,
        snapshots: [...model.snapshots, intent.snapshotId],
      }
  }
}

function append(
  model: Model,
  view: View,
  { branch, snapshotId }: Extract<Intent, { readonly kind: 'append' }>,
): Outcome {
  const foreseen = view.sequenceNumber + 1n
  const isStale = foreseen <= model.sequenceNumber && parentOf(view, branch) !== null
  if (model.refs.get(branch) !== view.refs.get(branch) || isStale) return 'commit-conflict'
  return {
    ...model,
    refs: new Map(model.refs).set(branch, snapshotId),
    sequenceNumber: foreseen > model.sequenceNumber ? foreseen : model.sequenceNumber,
    snapshots: [...model.snapshots, snapshotId],
  }
}

export function parentOf({ refs }: View, branch: string): bigint | null {
  return refs.get(branch) ?? refs.get('main') ?? null
}

/** The request of an Iceberg client. `snapshot` is that of an append, which is written already. */
export function requestOf({ key, view, intent }: Operation, snapshot?: Json): Json {
  const mark = { action: 'set-properties', updates: { [key]: intent.kind } }
  const request = (requirements: Json[], ...updates: Json[]) => ({
    requirements,
    updates: [...updates, mark],
  })
  const refIs = (ref: string, id: bigint | null) => ({
    ...{ type: 'assert-ref-snapshot-id', ref, 'snapshot-id': id },
  })
  const setRef = (name: string, type: string, id: bigint) => ({
    ...{ action: 'set-snapshot-ref', 'ref-name': name, type, 'snapshot-id': id },
  })
  switch (intent.kind) {
    case 'property':
      return request([])
    case 'column':
      return request(
        [
          { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': view.lastColumnId },
          { type: 'assert-current-schema-id', 'current-schema-id': view.schemaId },
        ],
        { action: 'add-schema', schema: schemaOf(view.lastColumnId + 1) },
        { action: 'set-current-schema', 'schema-id': -1 },
      )
    case 'append':
      return request(
        [refIs(intent.branch, view.refs.get(intent.branch) ?? null)],
        { action: 'add-snapshot', snapshot },
        setRef(intent.branch, 'branch', intent.snapshotId),
      )
    case 'tag':
      return request([refIs(intent.name, null)], setRef(intent.name, 'tag', intent.snapshotId))
    case 'remove-tag':
      return request([], { action: 'remove-snapshot-ref', 'ref-name': intent.name })
    case 'files':
      throw new Error('the service makes no request of its own')
    case 'expire':
      return request([], { action: 'remove-snapshots', 'snapshot-ids': [intent.snapshotId] })
  }
}

/** A schema of the columns 1 to `lastColumnId`. */
export function schemaOf(lastColumnId: number): Json {
  const fields = Array.from({ length: lastColumnId }, (_, i) => ({
    ...{ id: i + 1, name: `c${i + 1}`, required: false, type: 'long' },
  }))
  return { type: 'struct', fields }
}
