import { isPrincipalName } from '../../../core/access/principal-name.ts'

const NAMES_MAX = 500

export type Claims = Readonly<Record<string, unknown>>

/** Which claims of a token name groups and roles: names like `groups`, paths like `a.roles`. */
export interface ClaimPaths {
  readonly groups: readonly string[]
  readonly roles: readonly string[]
}

/** `group:<claim>` and `role:<claim>` for what the claims say, without what cannot be a name. */
export function namesOfClaims(claims: Claims, { groups, roles }: ClaimPaths): readonly string[] {
  const named = (kind: string, paths: readonly string[]) =>
    paths.flatMap((path) => textsAt(claims, path)).map((text) => `${kind}:${text}`)
  const names = [...named('group', groups), ...named('role', roles)].filter(isPrincipalName)
  return [...new Set(names)].slice(0, NAMES_MAX)
}

/** A claim of that whole name comes before a path: some providers name claims by URLs. */
function textsAt(claims: Claims, path: string): readonly string[] {
  const value = Object.hasOwn(claims, path) ? claims[path] : at(claims, path.split('.'))
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.filter((each) => typeof each === 'string')
}

function at(claims: unknown, path: readonly string[]): unknown {
  let found = claims
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined
    found = (found as Claims)[step]
  }
  return found
}
