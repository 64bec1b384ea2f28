import { z } from 'zod'
import { ProblemError } from '../problem/problems.ts'

/** Opaque to clients: where the next page begins. */
export function pageToken(position: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/** Throws `page-token-invalid` unless it is a token whose position has the shape. */
export function parsePageToken<Shape extends z.ZodType>(
  token: string,
  shape: Shape,
): z.output<Shape> {
  const parsed = shape.safeParse(decode(token))
  if (parsed.success) return parsed.data
  throw new ProblemError('page-token-invalid', 'this list has given no such page token')
}

function decode(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString())
  } catch {
    return undefined
  }
}

export const TablePosition = z.tuple([z.array(z.string()).min(1), z.string().min(1)])
export const SnapshotLogPosition = z.tuple([z.int()])
