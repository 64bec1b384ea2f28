import type { z } from 'zod'
import type { Route } from '../src/http/route.ts'

type Json = Readonly<Record<string, unknown>>
/** What all kinds of shapes have, of those that requests are made of. */
type Def = z.core.$ZodTypeDef & {
  readonly innerType?: z.ZodType
  readonly in?: z.ZodType
  readonly element?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly values?: readonly unknown[]
  readonly entries?: Json
  readonly shape?: Readonly<Record<string, z.ZodType>>
}

/** A body with every member that the route's shape has; for commits, with every kind of update. */
export function sampleBody({ body, operationId }: Pick<Route, 'body' | 'operationId'>): unknown {
  if (body === undefined) throw new Error(`${operationId} takes no body`)
  return sampleOf(body)
}

function sampleOf(shape: z.ZodType): unknown {
  const def = shape._zod.def as Def
  const example = shape.meta()?.['example']
  if (def.shape !== undefined) {
    const members = Object.entries(def.shape).map(([key, member]) => [key, sampleOf(member)])
    return { ...(example as Json | undefined), ...Object.fromEntries(members) }
  }
  if (def.type === 'array' && def.element !== undefined) return [sampleOf(def.element)]
  const inner = def.innerType ?? def.in ?? def.options?.[0]
  if (inner !== undefined) return example ?? sampleOf(inner)
  if (example !== undefined && example !== null) return example
  if (def.values !== undefined) return def.values[0]
  if (def.entries !== undefined) return Object.values(def.entries)[0]
  if (def.type === 'record') return { a: 'b' }
  if (def.type === 'boolean') return true
  return def.type === 'string' ? 'x' : 1
}

const SCHEMA = {
  type: 'struct',
  'schema-id': 1,
  'identifier-field-ids': [1],
  fields: [
    { id: 1, name: 'id', required: true, type: 'long', doc: 'x', 'initial-default': 1 },
    {
      ...{ id: 2, name: 'list', required: false },
      type: { type: 'list', 'element-id': 3, element: 'string', 'element-required': false },
    },
  ],
}
const STATISTICS = {
  ...{ 'snapshot-id': 1, 'statistics-path': 'file:///x', 'file-size-in-bytes': 1 },
  ...{ 'file-footer-size-in-bytes': 1, 'blob-metadata': [{ type: 'x', fields: [1] }] },
}
const SPEC = { 'spec-id': 1, fields: [{ 'source-id': 1, name: 'p', transform: 'bucket[4]' }] }
const SORT_FIELD = {
  ...{ 'source-id': 1, transform: 'identity', direction: 'asc', 'null-order': 'nulls-first' },
}
const SORT_ORDER = { 'order-id': 1, fields: [SORT_FIELD] }
const SNAPSHOT = {
  ...{ 'snapshot-id': 1, 'parent-snapshot-id': 2, 'sequence-number': 1, 'timestamp-ms': 1 },
  ...{ 'manifest-list': 'file:///x', summary: { operation: 'append', k: 'v' }, 'schema-id': 0 },
}

/** An update of each kind (Iceberg REST specification, `TableUpdate`). */
export const SAMPLE_UPDATES: readonly Json[] = [
  { action: 'assign-uuid', uuid: '5f0d6c2e-1c1b-4a55-9d2b-3a8f1f6f2b10' },
  { action: 'upgrade-format-version', 'format-version': 2 },
  { action: 'add-schema', schema: SCHEMA },
  { action: 'set-current-schema', 'schema-id': -1 },
  { action: 'add-spec', spec: SPEC },
  { action: 'set-default-spec', 'spec-id': -1 },
  { action: 'add-sort-order', 'sort-order': SORT_ORDER },
  { action: 'set-default-sort-order', 'sort-order-id': -1 },
  { action: 'add-snapshot', snapshot: SNAPSHOT },
  { action: 'set-snapshot-ref', 'ref-name': 'a', type: 'tag', 'snapshot-id': 1 },
  { action: 'remove-snapshots', 'snapshot-ids': [1] },
  { action: 'remove-snapshot-ref', 'ref-name': 'a' },
  { action: 'set-location', location: 'file:///x' },
  { action: 'set-properties', updates: { a: 'b' } },
  { action: 'remove-properties', removals: ['a'] },
  { action: 'set-statistics', statistics: STATISTICS },
  { action: 'remove-statistics', 'snapshot-id': 1 },
  { action: 'set-partition-statistics', 'partition-statistics': STATISTICS },
  { action: 'remove-partition-statistics', 'snapshot-id': 1 },
  { action: 'remove-partition-specs', 'spec-ids': [1] },
  { action: 'remove-schemas', 'schema-ids': [1] },
  {
    action: 'add-encryption-key',
    'encryption-key': { 'key-id': 'a', 'encrypted-key-metadata': 'b' },
  },
  { action: 'remove-encryption-key', 'key-id': 'a' },
]
