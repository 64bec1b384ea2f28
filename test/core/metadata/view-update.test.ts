import {
  applyViewUpdates,
  checkViewRequirements,
  newViewMetadata,
} from '../../../src/core/metadata/apply-view-updates.ts'
import type {
  ViewMetadata,
  ViewUpdate,
  ViewVersion,
} from '../../../src/core/metadata/view-metadata.ts'
import { refusalOf } from '../../refusal.ts'
import { BORN_MS, field, schemaOf, UUID } from './metadata-samples.ts'

const SCHEMA = schemaOf(field(0, 'id'), field(1, 'name', 'string'))
const LAST: ViewUpdate = { action: 'set-current-view-version', versionId: -1 }

function versionOf(sql: string, more: Partial<ViewVersion> = {}): ViewVersion {
  return {
    versionId: 1,
    timestampMs: BORN_MS,
    schemaId: 0,
    summary: { engine: 'spark' },
    representations: [{ type: 'sql', sql, dialect: 'spark' }],
    defaultNamespace: ['default'],
    ...more,
  }
}

function add(sql: string, more: Partial<ViewVersion> = {}): ViewUpdate {
  return { action: 'add-view-version', version: versionOf(sql, more) }
}

function set(updates: Record<string, string>): ViewUpdate {
  return { action: 'set-properties', updates }
}

function viewOf(properties: Record<string, string> = {}): ViewMetadata {
  return newViewMetadata({
    viewUuid: UUID,
    location: 's3://bucket/view/',
    schema: SCHEMA,
    version: versionOf('select 1', { schemaId: 44 }),
    properties,
    nowMs: BORN_MS + 1,
  })
}

function apply(view: ViewMetadata, ...updates: ViewUpdate[]): ViewMetadata {
  return applyViewUpdates(view, updates, { nowMs: BORN_MS + 9 })
}

function refusalFor(...updates: ViewUpdate[]): string {
  const error = refusalOf(() => apply(viewOf(), ...updates))
  expect(error.code).toBe('update-invalid')
  return error.message
}

describe('a new view', () => {
  test('has one schema, one version and one entry in its log', () => {
    expect(viewOf({ comment: 'c' })).toEqual({
      viewUuid: UUID,
      formatVersion: 1,
      location: 's3://bucket/view',
      currentVersionId: 1,
      schemas: [SCHEMA],
      versions: [versionOf('select 1')],
      versionLog: [{ timestampMs: BORN_MS, versionId: 1 }],
      properties: { comment: 'c' },
    })
  })

  test('is refused with two queries in one dialect, whatever their case', () => {
    const representations = ['Spark', 'trino', 'SPARK'].map((dialect) => ({
      type: 'sql' as const,
      sql: 's',
      dialect,
    }))
    expect(refusalFor(add('x', { representations }))).toMatch(
      'Invalid view version: Cannot add multiple queries for dialect spark',
    )
  })
})

describe('a version of a view', () => {
  test('gets the next id, and the log its own time', () => {
    const view = apply(viewOf(), add('select 2', { versionId: 9, timestampMs: BORN_MS + 4 }), LAST)
    expect(view.currentVersionId).toBe(2)
    expect(view.versions.map((v) => v.versionId)).toEqual([1, 2])
    expect(view.versionLog).toEqual([
      { timestampMs: BORN_MS, versionId: 1 },
      { timestampMs: BORN_MS + 4, versionId: 2 },
    ])
  })

  test('that says the same as another is that one, and comes back with the time of now', () => {
    const second = apply(viewOf(), add('select 2'), LAST)
    const again = apply(second, add('select 1', { versionId: 3, timestampMs: 4 }), LAST)
    expect(again.currentVersionId).toBe(1)
    expect(again.versions).toEqual(second.versions)
    expect(again.versionLog.at(-1)).toEqual({ timestampMs: BORN_MS + 9, versionId: 1 })
    expect(
      apply(again, { action: 'set-current-view-version', versionId: 2 }).currentVersionId,
    ).toBe(2)
  })

  test('is the same in whatever order its summary is', () => {
    const view = apply(viewOf(), add('select 2', { summary: { a: '1', b: '2' } }))
    expect(apply(view, add('select 2', { summary: { b: '2', a: '1' } }))).toBe(view)
  })

  test.each<[string, Partial<ViewVersion>]>([
    ['summary', { summary: { engine: 'trino' } }],
    ['catalog', { defaultCatalog: 'c' }],
    ['namespace', { defaultNamespace: ['default', 'x'] }],
  ])('of another %s is another one', (_what, more) => {
    expect(apply(viewOf(), add('select 1', more)).versions).toHaveLength(2)
  })

  test('takes the schema that was added last, and schemas are reused', () => {
    const wider = schemaOf(...SCHEMA.fields, field(2, 'more'))
    const view = apply(
      viewOf(),
      { action: 'add-schema', schema: wider },
      add('select 2', { schemaId: -1 }),
      { action: 'add-schema', schema: SCHEMA },
      add('select 3', { schemaId: -1 }),
      LAST,
    )
    expect(view.schemas.map((s) => s.schemaId)).toEqual([0, 1])
    expect(view.versions.map((v) => v.schemaId)).toEqual([0, 1, 0])
    expect(refusalFor(add('x', { schemaId: -1 }))).toMatch('no schema has been added')
    expect(refusalFor(add('x', { schemaId: 5 }))).toMatch(
      'Cannot add version with unknown schema: 5',
    )
  })

  test('is current only when it is there', () => {
    expect(refusalFor(LAST)).toMatch('no current version id has been set')
    expect(refusalFor({ action: 'set-current-view-version', versionId: 7 })).toMatch(
      'Cannot set current version to unknown version: 7',
    )
  })

  test('loses no dialect of the one before, unless the view allows it', () => {
    const representations = [{ type: 'sql', sql: 's', dialect: 'trino' }] as const
    const replace = [add('x', { representations }), LAST]
    expect(refusalFor(...replace)).toBe(
      'Cannot replace view due to loss of view dialects (replace.drop-dialect.allowed=false):\n' +
        'Previous dialects: [spark]\nNew dialects: [trino]',
    )
    const allowed = set({ 'replace.drop-dialect.allowed': 'TRUE' })
    expect(apply(viewOf(), ...replace, allowed).currentVersionId).toBe(2)
  })
})

describe('the history of a view', () => {
  function grown(view: ViewMetadata, count: number): ViewMetadata {
    let next = view
    for (let i = 0; i < count; i++) next = apply(next, add(`select ${i + 2}`), LAST)
    return next
  }

  test('keeps ten versions', () => {
    const view = grown(viewOf(), 14)
    expect(view.versions.map((v) => v.versionId)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
    expect(view.versionLog.map((e) => e.versionId)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
  })

  test('keeps as many as the property says, the current one and those just added', () => {
    const view = grown(viewOf({ 'version.history.num-entries': '2' }), 3)
    expect(view.versions.map((v) => v.versionId)).toEqual([3, 4])
    const added = [add('a'), add('b'), add('c')]
    expect(apply(view, ...added).versions.map((v) => v.versionId)).toEqual([4, 5, 6, 7])
  })

  test('starts again after a version that is gone: the log has no gaps', () => {
    const first = viewOf({ 'version.history.num-entries': '2' })
    const second = apply(first, add('select 2'), LAST)
    const back = apply(second, { action: 'set-current-view-version', versionId: 1 })
    const third = apply(back, add('select 3'))
    expect(third.versions.map((v) => v.versionId)).toEqual([1, 3])
    expect(third.versionLog.map((e) => e.versionId)).toEqual([1])
  })

  test.each(['0', '-1', 'ten', ''])('cannot have %j entries', (size) => {
    expect(refusalFor(set({ 'version.history.num-entries': size }))).toBe(
      `version.history.num-entries must be positive but was ${size}`,
    )
  })
})

describe('the other updates of a view', () => {
  test('set and remove properties, and move it', () => {
    const view = apply(
      viewOf({ a: '1', b: '2' }),
      set({ b: '3', c: '4' }),
      { action: 'remove-properties', removals: ['a', 'z'] },
      { action: 'set-location', location: 's3://other//' },
    )
    expect(view).toMatchObject({ location: 's3://other', properties: { b: '3', c: '4' } })
    expect(view.properties).not.toHaveProperty('a')
    expect(refusalFor({ action: 'set-location', location: '' })).toMatch('Invalid location')
  })

  test('that change nothing return the very view', () => {
    const view = viewOf({ a: '1' })
    const nothing: ViewUpdate[] = [
      set({ a: '1' }),
      { action: 'assign-uuid', uuid: UUID.toUpperCase() },
      { action: 'upgrade-format-version', formatVersion: 1 },
      { action: 'set-location', location: 's3://bucket/view/' },
      { action: 'add-schema', schema: SCHEMA },
      { action: 'set-current-view-version', versionId: 1 },
    ]
    expect(apply(view, ...nothing)).toBe(view)
  })

  test('assign no other uuid and no other format version', () => {
    expect(refusalFor({ action: 'assign-uuid', uuid: 'x' })).toMatch('Cannot reassign uuid')
    const to = (formatVersion: number) =>
      refusalFor({ action: 'upgrade-format-version', formatVersion })
    expect(to(2)).toMatch('Unsupported format version: 2')
    expect(to(0)).toMatch('Cannot downgrade v1 view to v0')
  })

  test('are bounded', () => {
    const many = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`k${i}`, '']))
    expect(refusalFor(set(many))).toMatch('at most 10000 properties')
    const representations = Array.from({ length: 101 }, (_, i) => ({
      type: 'sql' as const,
      sql: 's',
      dialect: `d${i}`,
    }))
    expect(refusalFor(add('x', { representations }))).toMatch('more than 100 representations')
  })
})

test('a view is required to be the one that the client saw', () => {
  const view = viewOf()
  expect(() =>
    checkViewRequirements([{ type: 'assert-view-uuid', uuid: UUID }], view),
  ).not.toThrow()
  expect(
    refusalOf(() => checkViewRequirements([{ type: 'assert-view-uuid', uuid: 'x' }], view)),
  ).toMatchObject({
    code: 'commit-conflict',
    message: `Requirement failed: view UUID does not match: expected ${UUID} != x`,
  })
})
