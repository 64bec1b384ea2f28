import type { z } from 'zod'
import { ProblemError } from '../problem/problems.ts'

/** One page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[]
  /** Token of the next page; null on the last. */
  readonly nextPageToken: string | null
}

/** A page of at most `size` items, from a list read with one item more. */
export function cutPage<Item>(
  found: readonly Item[],
  size: number,
  positionOf: (last: Item) => readonly unknown[],
): Page<Item> {
  const items = found.slice(0, size)
  const last = found.length > size ? items.at(-1) : undefined
  return { items, nextPageToken: last === undefined ? null : pageToken(positionOf(last)) }
}

/** The position of the next page, opaque to clients. */
export function pageToken(position: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/** The position in a token; throws `page-token-invalid` if it does not have the shape. */
export function parsePageToken<Shape extends z.ZodType>(
  token: string,
  shape: Shape,
): z.output<Shape> {
  const parsed = shape.safeParse(decode(token))
  if (parsed.success) return parsed.data
  throw new ProblemError('page-token-invalid', 'Invalid page token: not issued by this service')
}

function decode(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString(), refuseNul)
  } catch {
    return undefined
  }
}

/** No name holds it, and PostgreSQL takes no text that does. */
function refuseNul(_key: string, value: unknown): unknown {
  if (typeof value === 'string' && value.includes('\0')) throw new SyntaxError('NUL in a text')
  return value
}
