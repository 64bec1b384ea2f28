/** Everybody, signed in or not. */
export const EVERYONE = 'everyone'
/** Whoever is not signed in. */
export const ANONYMOUS_NAME = 'anonymous'

const LENGTH_MAX = 512
const ROLE = /^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/
const KEY_ID = /^[a-z0-9]{12}$/
/** `<issuer>~<subject>`. */
const USER = /^[^~\p{Cc}]+~[^\p{Cc}]+$/u
const GROUP = /^[^\p{Cc}]+$/u

/**
 * Whether the text names somebody who may have privileges: `user:<issuer>~<subject>`, `key:<id>`,
 * `role:<name>`, `group:<claim>`, `everyone` or `anonymous`.
 */
export function isPrincipalName(text: string): boolean {
  if (text.length > LENGTH_MAX) return false
  if (text === EVERYONE || text === ANONYMOUS_NAME) return true
  const colon = text.indexOf(':')
  const rest = text.slice(colon + 1)
  switch (text.slice(0, Math.max(0, colon))) {
    case 'key':
      return KEY_ID.test(rest)
    case 'role':
      return ROLE.test(rest)
    case 'group':
      return GROUP.test(rest)
    case 'user':
      return USER.test(rest)
    default:
      return false
  }
}

export function isRoleName(text: string): boolean {
  return ROLE.test(text)
}

/** Whether it is somebody who signs in, and so may own what they create. */
export function isSignedIn(principal: string): boolean {
  return principal.startsWith('key:') || principal.startsWith('user:')
}
