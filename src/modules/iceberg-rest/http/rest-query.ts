import { CatalogError } from '../../../core/errors.ts'
import type { SnapshotMode } from '../load-table.ts'
import type { PageRequest } from '../page.ts'
import type { IcebergCall } from './rest-route.ts'

type Query = Pick<IcebergCall, 'query'>

export function pageRequest({ query }: Query): PageRequest {
  const pageToken = query.get('pageToken')
  const pageSize = query.get('pageSize')
  return {
    ...(pageToken === undefined ? {} : { pageToken }),
    ...(pageSize === undefined || pageSize === '' ? {} : { pageSize: parsePageSize(pageSize) }),
  }
}

export function snapshotMode({ query }: Query): SnapshotMode {
  const mode = query.get('snapshots')?.toLowerCase() ?? 'all'
  if (mode === 'all' || mode === 'refs') return mode
  throw invalid('snapshots', 'all or refs')
}

export function flag({ query }: Query, name: string): boolean {
  const value = query.get(name)?.toLowerCase() ?? 'false'
  if (value === 'true' || value === 'false') return value === 'true'
  throw invalid(name, 'true or false')
}

/** Whether If-None-Match has the tag of what the client requests. */
export function knowsTag({ request }: Pick<IcebergCall, 'request'>, tag: string): boolean {
  const known = request.headers['if-none-match']?.split(',').map((text) => text.trim())
  return known?.some((text) => text === '*' || text.replace(/^W\//, '') === tag) === true
}

function parsePageSize(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw invalid('pageSize', 'a positive integer')
}

function invalid(name: string, allowed: string): CatalogError {
  return new CatalogError('request-invalid', `Invalid ${name}: give ${allowed}`)
}
