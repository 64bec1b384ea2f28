import { dayOf } from '../../../core/value/date-time.ts'
import { bibtexCitation } from './citation.ts'
import { type CitedData, kindOf, licenseUrl } from './cited-data.ts'

/** As the specification of Croissant 1.0 has it. */
const CONTEXT = {
  '@language': 'en',
  '@vocab': 'https://schema.org/',
  citeAs: 'cr:citeAs',
  column: 'cr:column',
  conformsTo: 'dct:conformsTo',
  cr: 'http://mlcommons.org/croissant/',
  rai: 'http://mlcommons.org/croissant/RAI/',
  data: { '@id': 'cr:data', '@type': '@json' },
  dataType: { '@id': 'cr:dataType', '@type': '@vocab' },
  dct: 'http://purl.org/dc/terms/',
  equivalentProperty: 'cr:equivalentProperty',
  examples: { '@id': 'cr:examples', '@type': '@json' },
  extract: 'cr:extract',
  field: 'cr:field',
  fileProperty: 'cr:fileProperty',
  fileObject: 'cr:fileObject',
  fileSet: 'cr:fileSet',
  format: 'cr:format',
  includes: 'cr:includes',
  isLiveDataset: 'cr:isLiveDataset',
  jsonPath: 'cr:jsonPath',
  key: 'cr:key',
  md5: 'cr:md5',
  parentField: 'cr:parentField',
  path: 'cr:path',
  recordSet: 'cr:recordSet',
  references: 'cr:references',
  regex: 'cr:regex',
  repeated: 'cr:repeated',
  replace: 'cr:replace',
  samplingRate: 'cr:samplingRate',
  sc: 'https://schema.org/',
  separator: 'cr:separator',
  source: 'cr:source',
  subField: 'cr:subField',
  transform: 'cr:transform',
}

/** What is no other type is text, as CSV has it. */
const TYPES: Readonly<Record<string, string>> = {
  boolean: 'sc:Boolean',
  int: 'sc:Integer',
  long: 'sc:Integer',
  float: 'sc:Float',
  double: 'sc:Float',
  decimal: 'sc:Float',
  date: 'sc:Date',
  timestamp: 'sc:DateTime',
  timestamptz: 'sc:DateTime',
}
const MEDIA_TYPES = { csv: 'text/csv', parquet: 'application/x-parquet' } as const

/** The Croissant description, by which `mlcroissant` reads the rows. */
export function croissantOf(data: CitedData): object {
  const { title, name, description, url, creators, keywords, license, publisher } = data
  return {
    '@context': CONTEXT,
    '@type': 'sc:Dataset',
    conformsTo: 'http://mlcommons.org/croissant/1.0',
    '@id': url,
    name,
    alternateName: title,
    description: description ?? title,
    url,
    // It asks for a version of three numbers.
    version: `${data.version}.0.0`,
    datePublished: dayOf(data.issuedAtMs),
    license: licenseUrl(license) ?? license ?? 'unknown',
    creator: creators.map(({ name: creator, id }) => {
      return { '@type': 'sc:Person', name: creator, ...(id !== undefined && { url: id }) }
    }),
    publisher: { '@type': 'sc:Organization', name: publisher },
    keywords,
    citeAs: bibtexCitation(data),
    isLiveDataset: false,
    distribution: data.files.map(({ format, fileName, url: contentUrl, bytes, sha256 }) => ({
      '@type': 'cr:FileObject',
      '@id': format,
      name: fileName,
      contentUrl,
      encodingFormat: MEDIA_TYPES[format],
      contentSize: `${bytes} B`,
      sha256,
    })),
    recordSet: recordSetOf(data),
  }
}

/** The names of columns, but mlcroissant takes no blanks in ids. */
function idsOf(names: readonly string[]): readonly string[] {
  const taken = new Set(names.filter((name) => !/\s/.test(name)))
  return names.map((name) => {
    let id = name.replaceAll(/\s+/g, '_')
    if (id === name) return `rows/${id}`
    while (taken.has(id)) id += '_'
    taken.add(id)
    return `rows/${id}`
  })
}

/** CSV, which every reader has. */
function recordSetOf({ columns, files }: CitedData): readonly object[] {
  const file = files.find(({ format }) => format === 'csv') ?? files[0]
  if (file === undefined) return []
  const ids = idsOf(columns.map(({ name }) => name))
  const field = columns.map(({ name, type, description }, i) => ({
    '@type': 'cr:Field',
    '@id': ids[i],
    name,
    ...(description !== null && { description }),
    dataType: TYPES[kindOf(type)] ?? 'sc:Text',
    source: { fileObject: { '@id': file.format }, extract: { column: name } },
  }))
  return [{ '@type': 'cr:RecordSet', '@id': 'rows', name: 'rows', field }]
}
