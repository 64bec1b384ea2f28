import { type CitedData, isSpdx, kindOf, licenseUrl } from './cited-data.ts'

interface FieldType {
  readonly type: string
  readonly format?: string
}

const TEXT: FieldType = { type: 'string' }
/** Types of Table Schema, by Iceberg's. */
const TYPES: Readonly<Record<string, FieldType>> = {
  boolean: { type: 'boolean' },
  int: { type: 'integer' },
  long: { type: 'integer' },
  float: { type: 'number' },
  double: { type: 'number' },
  decimal: { type: 'number' },
  date: { type: 'date' },
  time: { type: 'time', format: 'any' },
  timestamp: { type: 'datetime', format: 'any' },
  timestamptz: { type: 'datetime', format: 'any' },
  timestamp_ns: { type: 'datetime', format: 'any' },
  uuid: { type: 'string', format: 'uuid' },
  binary: { type: 'string', format: 'binary' },
  fixed: { type: 'string', format: 'binary' },
  list: { type: 'array' },
  struct: { type: 'object' },
}
/** The Data Package, by which `frictionless` reads the rows of the CSV file. */
export function dataPackageOf(data: CitedData): object {
  const { name, title, description, version, url, creators, keywords, license, columns } = data
  const path = licenseUrl(license)
  return {
    profile: 'data-package',
    name: slugOf(name),
    id: url,
    title,
    ...(description !== null && { description }),
    version: `${version}.0.0`,
    homepage: url,
    created: new Date(data.issuedAtMs).toISOString(),
    ...(license !== null && {
      licenses: [
        { ...(isSpdx(license) ? { name: license } : { title: license }), ...(path && { path }) },
      ],
    }),
    // Lists without items are not allowed.
    ...(creators.length > 0 && { contributors: creators.map(contributorOf) }),
    ...(keywords.length > 0 && { keywords }),
    resources: data.files
      .filter(({ format }) => format === 'csv')
      .map(({ url: file, bytes, sha256 }) => ({
        ...{ name: slugOf(name), path: file, profile: 'tabular-data-resource' },
        ...{ format: 'csv', mediatype: 'text/csv', encoding: 'utf-8', bytes },
        hash: `sha256:${sha256}`,
        dialect: { delimiter: ',', lineTerminator: '\n', doubleQuote: true, header: true },
        schema: { fields: columns.map(fieldOf), missingValues: [''] },
      })),
  }
}

function contributorOf({ name, id, affiliation }: CitedData['creators'][number]): object {
  return {
    ...{ title: name, role: 'author' },
    ...(id !== undefined && { path: id }),
    ...(affiliation !== undefined && { organization: affiliation }),
  }
}

function fieldOf({ name, type, nullable, description }: CitedData['columns'][number]): object {
  const kind = kindOf(type)
  return {
    name,
    ...(TYPES[kind] ?? TEXT),
    ...(description !== null && { description }),
    // An empty text is no missing value to a database, but is to Table Schema.
    ...(!nullable && kind !== 'string' && { constraints: { required: true } }),
  }
}

/** Lower case, as the specification asks. */
function slugOf(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9._-]/g, '-')
}
