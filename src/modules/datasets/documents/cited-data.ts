import type { DatasetCard, DatasetColumn } from '../../../catalog/dataset-store.ts'

/** A dataset, or a snapshot of a table, as documents about it need it. */
export interface CitedData extends DatasetCard {
  /** Absolute, like all addresses here: the permanent one. */
  readonly url: string
  /** For programs. */
  readonly name: string
  /** For people. */
  readonly title: string
  /** A number as text. */
  readonly version: string
  /** The host of the service. */
  readonly publisher: string
  /** When it was published; before, when it was made. */
  readonly issuedAtMs: number
  readonly snapshotAtMs: number
  readonly columns: readonly DatasetColumn[]
  readonly files: readonly CitedFile[]
}

/** All rows as one file. */
export interface CitedFile {
  readonly format: 'csv' | 'parquet'
  readonly fileName: string
  readonly mediaType: string
  readonly url: string
  /** `undefined` until it was made, like the digest, in hexadecimal. */
  readonly bytes: number | undefined
  readonly sha256: string | undefined
}

const ADDRESS = /^https?:\/\//i
const SPDX = /^[A-Za-z0-9.+-]+$/
const ORCID = /^https:\/\/orcid\.org\/[\dX-]+$/

/** `undefined` for a license that is neither an address nor an SPDX identifier. */
export function licenseUrl(license: string | null): string | undefined {
  if (license === null) return undefined
  if (ADDRESS.test(license)) return license
  return isSpdx(license) ? `https://spdx.org/licenses/${license}.html` : undefined
}

export function isSpdx(license: string): boolean {
  return SPDX.test(license)
}

export function isOrcid(id: string | undefined): id is string {
  return id !== undefined && ORCID.test(id)
}

/** The word before the parameters of a type: `decimal` of `decimal(9,2)`, `list` of a list. */
export function kindOf(type: unknown): string {
  if (typeof type === 'string') return type.replace(/[([].*$/, '')
  return String((type as { readonly type?: unknown } | null)?.type)
}
