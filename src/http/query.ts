import type { z } from 'zod'
import { requestInvalid, zodErrors } from './problem.ts'

/**
 * The parameters after the question mark, as the shape makes them. Unknown and repeated ones are
 * refused: a typo must not go unseen.
 */
export function parseQuery<Shape extends z.ZodObject>(
  query: string,
  shape: Shape,
): z.output<Shape> {
  const parameters = query === '' ? new Map<string, string>() : parametersOf(query, shape)
  const parsed = shape.safeParse(Object.fromEntries(parameters))
  if (!parsed.success) throw requestInvalid(zodErrors(parsed.error, 'query'))
  return parsed.data
}

function parametersOf(query: string, shape: z.ZodObject): ReadonlyMap<string, string> {
  const known = Object.keys(shape.shape)
  const parameters = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name)) {
      const listed =
        known.length === 0 ? 'there are none' : `the known ones are ${known.join(', ')}`
      const message = `${JSON.stringify(name.slice(0, 100))} is no parameter here: ${listed}`
      throw requestInvalid([{ path: 'query', message }], { parametersKnown: known })
    }
    if (parameters.has(name)) {
      throw requestInvalid([{ path: `query.${name}`, message: 'is given more than once' }])
    }
    parameters.set(name, value)
  }
  return parameters
}
