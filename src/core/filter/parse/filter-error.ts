import { CatalogError } from '../../errors.ts'

export interface FilterFault {
  readonly text: string
  /** Offset into `text`, in UTF-16 units. */
  readonly position: number
  readonly detail: string
  /** What was expected there, in words. */
  readonly expected: string
  readonly facts?: Readonly<Record<string, unknown>>
}

const EXCERPT_REACH = 30

/**
 * `filter-invalid` whose facts point at the character: `position` counts code points, `near` draws
 * a caret.
 */
export function filterInvalid(fault: FilterFault): CatalogError {
  const { text, detail, expected } = fault
  const position = Array.from(text.slice(0, fault.position)).length
  return new CatalogError('filter-invalid', `${detail} at character ${position}`, {
    facts: { position, near: excerpt(text, fault.position), expected, ...fault.facts },
  })
}

function excerpt(text: string, position: number): string {
  const start = Math.max(0, position - EXCERPT_REACH)
  const before = Array.from(text.slice(start, position))
  const line = text.slice(start, position + EXCERPT_REACH).replaceAll(/\s|\p{Cc}/gu, ' ')
  return `${line}\n${' '.repeat(before.length)}^`
}
