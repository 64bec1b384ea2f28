import { newViewMetadata } from '../../../src/core/metadata/apply-view-updates.ts'
import type { ViewMetadata } from '../../../src/core/metadata/view-metadata.ts'
import { parseExactJson } from '../../../src/formats/json/exact-json.ts'
import {
  parseViewMetadata,
  viewMetadataToJson,
  viewVersionToJson,
} from '../../../src/formats/metadata/view-metadata-json.ts'
import {
  parseCommitViewRequest,
  parseCreateViewRequest,
} from '../../../src/modules/iceberg-rest/requests/view-request-json.ts'
import { field, schemaOf, UUID } from '../../core/metadata/metadata-samples.ts'
import { refusalOf } from '../../refusal.ts'

const VIEW = newViewMetadata({
  viewUuid: UUID,
  location: 's3://bucket/view',
  schema: schemaOf(field(0, 'id'), field(1, 'name', 'string')),
  version: {
    versionId: 1,
    timestampMs: 1_700_000_000_000,
    schemaId: 0,
    summary: { engine: 'spark' },
    representations: [
      { type: 'sql', sql: 'select 1', dialect: 'spark' },
      { type: 'sql', sql: 'values 1', dialect: 'trino' },
    ],
    defaultCatalog: 'prod',
    defaultNamespace: ['a', 'b'],
  },
  properties: JSON.parse('{"__proto__": "kept", "comment": "c"}'),
  nowMs: 1_700_000_000_000,
})

/** As the specification prints it. */
const FROM_SPECIFICATION = `{
  "view-uuid": "fa6506c3-7681-40c8-86dc-e36561f83385", "format-version" : 1,
  "location" : "s3://bucket/warehouse/default.db/event_agg", "current-version-id" : 1,
  "properties" : {"comment" : "Daily event counts"},
  "versions" : [ {
    "version-id" : 1, "timestamp-ms" : 1573518431292, "schema-id" : 1,
    "default-catalog" : "prod", "default-namespace" : [ "default" ],
    "summary" : {"engine-name" : "Spark", "engineVersion" : "3.3.2"},
    "representations" : [ {"type" : "sql", "sql" : "SELECT 1", "dialect" : "spark"} ]
  } ],
  "schemas": [ {"schema-id": 1, "type" : "struct", "fields" : [
    {"id" : 1, "name" : "event_count", "required" : false, "type" : "int",
      "doc" : "Count of events"}]}],
  "version-log" : [ {"timestamp-ms" : 1573518431292, "version-id" : 1} ]
}`

type Json = Record<string, unknown>

function corrupt(change: (json: Json) => void): string {
  const json = JSON.parse(viewMetadataToJson(VIEW)) as Json
  change(json)
  const { code, message } = refusalOf(() => parseViewMetadata(JSON.stringify(json)))
  expect(code).toBe('metadata-corrupt')
  return message
}

describe('view metadata', () => {
  test('is read as it was written', () => {
    expect(parseViewMetadata(viewMetadataToJson(VIEW))).toEqual(VIEW)
    const [version] = VIEW.versions
    const two = { ...VIEW, versions: [version, { ...version, versionId: 2 }] } as ViewMetadata
    const backwards = { ...two, versions: two.versions.toReversed() }
    expect(parseViewMetadata(viewMetadataToJson(backwards))).toEqual(two)
    const example = parseViewMetadata(FROM_SPECIFICATION)
    expect(JSON.parse(viewMetadataToJson(example))).toEqual(JSON.parse(FROM_SPECIFICATION))
  })

  test.each<[string, (json: Json) => void, string]>([
    ['no uuid', (json) => delete json['view-uuid'], '$.view-uuid: is missing'],
    ['a uuid with a path', (json) => (json['view-uuid'] = '../x'), '$.view-uuid: expected a UUID'],
    ['version 0', (json) => (json['format-version'] = 0), '$.format-version: 0 is not a version'],
    [
      'another current version',
      (json) => (json['current-version-id'] = 2),
      'is not among the versions',
    ],
    ['no schema', (json) => (json['schemas'] = []), 'version 1 has no schema 0'],
    [
      'a picture',
      (json) =>
        (json['versions'] = [
          { ...viewVersionToJson(VIEW.versions[0] as never), representations: [{ type: 'png' }] },
        ]),
      '$.versions[0].representations[0].type: expected one of sql',
    ],
  ])('with %s is corrupt', (_what, change, message) => {
    expect(corrupt(change)).toContain(message)
  })

  test('of a later version is not implemented, and other text is corrupt', () => {
    const text = viewMetadataToJson(VIEW).replace('"format-version":1', '"format-version":2')
    expect(refusalOf(() => parseViewMetadata(text)).code).toBe('not-implemented')
    expect(refusalOf(() => parseViewMetadata('{')).code).toBe('metadata-corrupt')
  })
})

const VERSION = `{"version-id": 1, "timestamp-ms": 5, "schema-id": -1, "summary": {},
  "representations": [{"type": "sql", "sql": "s", "dialect": "d"}], "default-namespace": ["n"]}`
const SCHEMA = '{"type": "struct", "fields": []}'
const UPDATE_VERSION = {
  versionId: 1,
  timestampMs: 5,
  schemaId: -1,
  summary: {},
  representations: [{ type: 'sql', sql: 's', dialect: 'd' }],
  defaultNamespace: ['n'],
}

describe('requests for views', () => {
  test('to commit have the eight updates and the one requirement', () => {
    const request = parseExactJson(`{
      "requirements": [{"type": "assert-view-uuid", "uuid": "u"}],
      "updates": [
        {"action": "assign-uuid", "uuid": "${UUID}"},
        {"action": "upgrade-format-version", "format-version": 1},
        {"action": "add-schema", "schema": ${SCHEMA}},
        {"action": "set-location", "location": "l"},
        {"action": "set-properties", "updates": {"a": "b"}},
        {"action": "remove-properties", "removals": ["a"]},
        {"action": "add-view-version", "view-version": ${VERSION}},
        {"action": "set-current-view-version", "view-version-id": -1},
        {"action": "set-current-view-version", "view-version-id": 3}]}`)
    expect(parseCommitViewRequest(request)).toEqual({
      identifier: undefined,
      requirements: [{ type: 'assert-view-uuid', uuid: 'u' }],
      updates: [
        { action: 'assign-uuid', uuid: UUID },
        { action: 'upgrade-format-version', formatVersion: 1 },
        { action: 'add-schema', schema: { schemaId: 0, fields: [], identifierFieldIds: [] } },
        { action: 'set-location', location: 'l' },
        { action: 'set-properties', updates: { a: 'b' } },
        { action: 'remove-properties', removals: ['a'] },
        { action: 'add-view-version', version: UPDATE_VERSION },
        { action: 'set-current-view-version', versionId: -1 },
        { action: 'set-current-view-version', versionId: 3 },
      ],
    })
  })

  test('to commit may have no requirements, and name their view', () => {
    const identifier = { namespace: ['n'], name: 'v' }
    expect(parseCommitViewRequest({ identifier, updates: [] })).toEqual({
      identifier,
      requirements: [],
      updates: [],
    })
  })

  test("to commit have no table's updates and requirements, and not too many", () => {
    const refused = (request: object) => {
      const { code, message } = refusalOf(() => parseCommitViewRequest(request))
      expect(code).toBe('update-invalid')
      return message
    }
    expect(refused({ updates: [{ action: 'add-spec' }] })).toMatch('unknown update')
    expect(refused({ requirements: [{ type: 'assert-create' }], updates: [] })).toMatch(
      'expected one of assert-view-uuid',
    )
    expect(refused({ updates: Array(5_001).fill({}) })).toMatch('the limit is 5000')
  })

  test('to create have a name, a schema and a version', () => {
    const json = parseExactJson(`{"name": "v", "schema": ${SCHEMA}, "view-version": ${VERSION},
      "properties": {"a": "b"}, "location": "s3://v"}`)
    expect(parseCreateViewRequest(json)).toEqual({
      name: 'v',
      location: 's3://v',
      schema: { schemaId: 0, fields: [], identifierFieldIds: [] },
      version: UPDATE_VERSION,
      properties: { a: 'b' },
    })
    expect(
      refusalOf(() => parseCreateViewRequest({ name: 'v', schema: JSON.parse(SCHEMA) })).message,
    ).toBe('$.view-version: is missing')
  })
})
