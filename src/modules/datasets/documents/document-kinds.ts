import type { CitedData } from './cited-data.ts'
import { croissantOf } from './croissant.ts'
import { dataCiteOf } from './data-cite.ts'
import { dataPackageOf } from './data-package.ts'
import { roCrateOf } from './ro-crate.ts'

/**
 * What is told of the files: `made` makes them if need be and waits for up to a minute
 * (`dump-not-ready`), `found` tells length and digest of those that are there.
 */
export type FilesWish = 'made' | 'found'

export interface DocumentKind {
  readonly path: string
  /** Begins the operation ids. */
  readonly operationId: string
  readonly called: string
  readonly mediaType: string
  readonly files: FilesWish
  make(data: CitedData): object | string
}

/** The media type of linked data. */
const LINKED = 'application/ld+json'

export const DOCUMENT_KINDS: readonly DocumentKind[] = [
  {
    ...{ path: 'croissant.json', operationId: 'croissant', mediaType: LINKED, files: 'made' },
    called: 'Croissant description, for machine learning',
    make: croissantOf,
  },
  {
    ...{ path: 'datapackage.json', operationId: 'dataPackage', files: 'made' },
    mediaType: 'application/json',
    called: 'Data Package',
    make: dataPackageOf,
  },
  {
    ...{ path: 'datacite.json', operationId: 'dataCite', files: 'found' },
    mediaType: 'application/vnd.datacite.datacite+json',
    called: 'metadata for DataCite, which registers DOIs',
    make: dataCiteOf,
  },
  {
    ...{ path: 'ro-crate-metadata.json', operationId: 'roCrate', files: 'found' },
    ...{ mediaType: LINKED, called: 'RO-Crate' },
    make: roCrateOf,
  },
  {
    ...{ path: 'SHA256SUMS', operationId: 'digests', mediaType: 'text/plain', files: 'made' },
    called: 'SHA-256 of the files, as read by `sha256sum -c`',
    make: ({ files }) => files.map(({ sha256, fileName }) => `${sha256}  ${fileName}\n`).join(''),
  },
]
