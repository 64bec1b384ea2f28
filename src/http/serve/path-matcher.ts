import { ProblemError } from '../../problem/problems.ts'
import type { Dialect } from '../dialect.ts'
import { inMatchingOrder, type Route } from '../route.ts'

export interface Match {
  readonly route: Route
  /** The pattern that the path matched, below the root. */
  readonly pattern: string
  /** A path parameter; throws if the pattern does not have it. */
  param(name: string): string
}

/**
 * The routes of one path. A segment of the pattern is a text to compare, or a parameter's name and
 * the text that follows it.
 */
interface PathEntry {
  readonly pattern: string
  readonly segments: readonly Segment[]
  readonly byMethod: ReadonlyMap<string, Route>
  readonly allowed: readonly string[]
}

type Segment = { readonly text: string } | { readonly name: string; readonly suffix: string }

/** One may stand there; two enclose an empty name, which is none that a path may end with. */
const ONE_SLASH_AT_END = /(?<=[^/])\/$/

/** Finds the route of a still encoded path, so that a name may contain any character. */
export class PathMatcher {
  readonly #rules: Dialect['paths']
  readonly #entriesByLength = new Map<number, PathEntry[]>()

  constructor({ paths, routes }: Pick<Dialect, 'paths' | 'routes'>) {
    this.#rules = paths
    for (const pattern of new Set(inMatchingOrder(routes).map(({ path }) => paths.served(path)))) {
      const entry = this.#entryOf(
        pattern,
        routes.filter((route) => paths.served(route.path) === pattern),
      )
      const ofLength = this.#entriesByLength.get(entry.segments.length) ?? []
      ofLength.push(entry)
      this.#entriesByLength.set(entry.segments.length, ofLength)
    }
  }

  #entryOf(pattern: string, routes: readonly Route[]): PathEntry {
    const byMethod = new Map(routes.map((route) => [route.method.toUpperCase(), route]))
    const get = byMethod.get('GET')
    if (this.#rules.headIsGet && get !== undefined) byMethod.set('HEAD', get)
    return {
      pattern,
      segments: pattern.split('/').map((text) => {
        const [, name, suffix = ''] = /^\{(.+)\}(.*)$/.exec(text) ?? []
        return name === undefined ? { text } : { name, suffix }
      }),
      byMethod,
      allowed: [...byMethod.keys()],
    }
  }

  /**
   * Throws `method-not-allowed` with the allowed methods, the dialect's error for an unknown path,
   * and errors of decoding. Calls `onPath` with the pattern as soon as it is known.
   */
  match(method: string, path: string, onPath: (pattern: string) => void): Match {
    const segments = path.replace(ONE_SLASH_AT_END, '').split('/')
    const entry = this.#entriesByLength
      .get(segments.length)
      ?.find((candidate) => this.#isMatch(candidate, segments))
    if (entry === undefined) throw this.#rules.notFound(method, path)
    onPath(entry.pattern)
    const route = entry.byMethod.get(method)
    if (route === undefined) throw methodNotAllowed(method, entry.allowed)
    const params = this.#paramsOf(entry, segments)
    return {
      route,
      pattern: entry.pattern,
      param: (name) => {
        const value = params.get(name)
        if (value === undefined) throw new Error(`${entry.pattern} has no parameter ${name}`)
        return value
      },
    }
  }

  #isMatch(entry: PathEntry, segments: readonly string[]): boolean {
    return entry.segments.every((segment, i) => {
      const given = segments[i] ?? ''
      if ('text' in segment) return segment.text === given
      const { suffix } = segment
      return given.endsWith(suffix) && (this.#rules.allowsEmpty || given.length > suffix.length)
    })
  }

  #paramsOf(entry: PathEntry, segments: readonly string[]): ReadonlyMap<string, string> {
    const params = new Map<string, string>()
    for (const [i, segment] of entry.segments.entries()) {
      if ('text' in segment) continue
      const given = segments[i] ?? ''
      const value = given.slice(0, given.length - segment.suffix.length)
      params.set(segment.name, this.#rules.decode(value))
    }
    return params
  }
}

function methodNotAllowed(method: string, allowed: readonly string[]): ProblemError {
  return new ProblemError(
    'method-not-allowed',
    `this route does not support ${method}: use ${allowed.join(' or ')}`,
    {
      facts: { method, allowed },
    },
  )
}
