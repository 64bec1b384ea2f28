import type { z } from 'zod'
import { requestInvalid, zodErrors } from './problem.ts'
import { plainMessage } from './shape-messages.ts'

/**
 * Query parameters, parsed by the shape. Unknown and repeated ones are refused, so that typos are
 * noticed.
 */
export function parseQuery<Shape extends z.ZodObject>(
  query: string,
  shape: Shape,
): z.output<Shape> {
  const parameters = query === '' ? new Map<string, string>() : parametersOf(query, shape)
  const parsed = shape.safeParse(Object.fromEntries(parameters), { error: plainMessage })
  if (!parsed.success) throw requestInvalid(zodErrors(parsed.error, 'query'))
  return parsed.data
}

function parametersOf(query: string, shape: z.ZodObject): ReadonlyMap<string, string> {
  const known = Object.keys(shape.shape)
  const parameters = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name)) {
      const listed =
        known.length === 0 ? 'this route has none' : `this route has ${known.join(', ')}`
      const unknown = `unknown parameter ${JSON.stringify(name.slice(0, 100))}`
      const message = `${unknown}: ${listed}${hint(name, known)}`
      throw requestInvalid([{ path: 'query', message }], { parametersKnown: known })
    }
    if (parameters.has(name)) {
      throw requestInvalid([{ path: `query.${name}`, message: 'must not be given more than once' }])
    }
    parameters.set(name, value)
  }
  return parameters
}

/** Where else what was meant is found. */
function hint(name: string, known: readonly string[]): string {
  const isPart = name === 'limit' || name === 'offset'
  if (isPart && known.includes('after')) {
    return '; the next page is asked for with `after`'
  }
  return isPart && known.includes('format')
    ? '; a dump is always whole: take a part of its bytes by a Range header'
    : ''
}
