import { ProblemError } from '../../problem/problems.ts'

/** Iceberg REST specification, `PageToken`: absent, everything is answered at once; empty, the first page. */
export interface PageRequest {
  readonly pageToken?: string
  readonly pageSize?: number
}

export interface Page<Item> {
  readonly items: readonly Item[]
  /** Null at the end. */
  readonly nextPageToken: string | null
}

export const PAGE_SIZE_MAX = 1_000
const PAGE_SIZE_DEFAULT = 100

export interface Listing<Item> {
  /** Up to `limit` items after the position, in the order of the list. */
  list(after: string | undefined, limit: number): Promise<readonly Item[]>
  position(item: Item): string
}

export async function readPages<Item>(
  { pageToken, pageSize = PAGE_SIZE_DEFAULT }: PageRequest,
  listing: Listing<Item>,
): Promise<Page<Item>> {
  if (pageToken === undefined) return { items: await readAll(listing), nextPageToken: null }
  const after = pageToken === '' ? undefined : decodeToken(pageToken)
  const size = Math.min(pageSize, PAGE_SIZE_MAX)
  const found = await listing.list(after, size + 1)
  const items = found.slice(0, size)
  const last = items.at(-1)
  const isEnd = found.length <= size || last === undefined
  return { items, nextPageToken: isEnd ? null : encodeToken(listing.position(last)) }
}

async function readAll<Item>(listing: Listing<Item>): Promise<readonly Item[]> {
  const items: Item[] = []
  for (;;) {
    const last = items.at(-1)
    const after = last === undefined ? undefined : listing.position(last)
    const found = await listing.list(after, PAGE_SIZE_MAX)
    items.push(...found)
    if (found.length < PAGE_SIZE_MAX) return items
  }
}

/** Code points in hexadecimal behind a mark of the format: opaque, safe in a URL. */
function encodeToken(position: string): string {
  return `1${Array.from(position, (c) => (c.codePointAt(0) ?? 0).toString(16)).join('-')}`
}

function decodeToken(token: string): string {
  if (!/^1[0-9a-f]{1,6}(?:-[0-9a-f]{1,6}){0,2000}$/.test(token)) throw unknownToken()
  const points = token
    .slice(1)
    .split('-')
    .map((digits) => Number.parseInt(digits, 16))
  if (points.some((point) => point > 0x10ffff)) throw unknownToken()
  return String.fromCodePoint(...points)
}

function unknownToken(): ProblemError {
  return new ProblemError('page-token-invalid', 'Invalid page token: no list has given it')
}
