import { CatalogError } from '../../../core/errors.ts'
import { ProblemError } from '../../../problem/problems.ts'
import type { IcebergRoute } from './rest-route.ts'

export interface Match {
  readonly route: IcebergRoute
  /** By name, decoded. */
  readonly params: ReadonlyMap<string, string>
}

/** Where the API is. */
export const ICEBERG_ROOT = '/iceberg'

/** The path below `ICEBERG_ROOT` as it is served: this service has no prefix. */
export function servedPath({ path }: Pick<IcebergRoute, 'path'>): string {
  return path.replace('/{prefix}', '')
}

/**
 * Finds the route of a path that is still encoded, so that a name may hold any character: `%2F` is no separator.
 * Throws `route-not-found`, `method-not-allowed` with what is, or `request-invalid` for a bad encoding.
 */
export function matchRoute(
  routes: readonly IcebergRoute[],
  { method, path }: { readonly method: string; readonly path: string },
): Match {
  const segments = path.replace(/(?<=[^/])\/$/, '').split('/')
  const ofPath = routes.flatMap((route) => {
    const params = paramsOf(route, segments)
    return params === undefined ? [] : [{ route, params }]
  })
  const [first] = ofPath
  if (first === undefined) {
    const detail = `There is nothing at ${ICEBERG_ROOT}${path.slice(0, 200)}`
    throw new ProblemError('route-not-found', detail)
  }
  const match = ofPath.find(({ route }) => route.method === method)
  if (match === undefined) throw methodNotAllowed(method, ofPath)
  const decoded = [...match.params].map(([name, text]) => [name, decode(text)] as const)
  return { route: match.route, params: new Map(decoded) }
}

function paramsOf(
  route: IcebergRoute,
  segments: readonly string[],
): ReadonlyMap<string, string> | undefined {
  const pattern = patternOf(route)
  if (pattern.length !== segments.length) return undefined
  if (pattern.some(({ text }, i) => text !== undefined && text !== segments[i])) return undefined
  const params = new Map<string, string>()
  for (const [i, { name }] of pattern.entries()) {
    if (name !== undefined) params.set(name, segments[i] ?? '')
  }
  return params
}

/** Of a path: a text to the letter, or any text under a name. */
interface PatternSegment {
  readonly text?: string
  readonly name?: string
}

const PATTERNS = new WeakMap<IcebergRoute, readonly PatternSegment[]>()

function patternOf(route: IcebergRoute): readonly PatternSegment[] {
  const known = PATTERNS.get(route)
  if (known !== undefined) return known
  const pattern = servedPath(route)
    .split('/')
    .map((text) => {
      const name = /^\{(.+)\}$/.exec(text)?.[1]
      return name === undefined ? { text } : { name }
    })
  PATTERNS.set(route, pattern)
  return pattern
}

/** A plus is a blank: so Java's clients encode it, and all encode a plus as `%2B`. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch (cause) {
    const detail = 'The path is not a valid percent-encoding of UTF-8'
    throw new CatalogError('request-invalid', detail, { cause })
  }
}

function methodNotAllowed(method: string, ofPath: readonly Match[]): ProblemError {
  const allowed = ofPath.map(({ route }) => route.method)
  return new ProblemError('method-not-allowed', `${method} is not served here`, {
    facts: { allowed: allowed.join(', ') },
  })
}
