import { z } from 'zod'
import { cutPage, type Page, parsePageToken } from '../../http/page-token.ts'

/**
 * A `PageToken` of the Iceberg REST specification: if absent, everything is returned at once; if
 * empty, the first page.
 */
export interface PageRequest {
  readonly pageToken?: string
  readonly pageSize?: number
}

export const PAGE_SIZE_MAX = 1_000
const PAGE_SIZE_DEFAULT = 100
const Position = z.tuple([z.string()])

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
  const [after] = pageToken === '' ? [] : parsePageToken(pageToken, Position)
  const size = Math.min(pageSize, PAGE_SIZE_MAX)
  const found = await listing.list(after, size + 1)
  return cutPage(found, size, (last) => [listing.position(last)])
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
