/** Names of parameters by which other services take credentials, without dashes and underscores. */
const NAMES: ReadonlySet<string> = new Set([
  ...['accesstoken', 'apikey', 'auth', 'authorization', 'authtoken', 'bearer', 'clientsecret'],
  ...['credential', 'credentials', 'idtoken', 'key', 'password', 'secret', 'token', 'xapikey'],
])
/**
 * Begins like a key of this service, whatever follows (a whole one has 66 characters), or is a
 * signed token: a JWT, whose header and claims both begin with `{"`.
 */
const KEY = /mor_[a-z0-9]{12}_[\w-]{40,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\./
/** Without one of these there is nothing to look for. */
const SUSPECT = /mor_|eyJ|%|auth|bearer|credential|key|password|secret|token/i

/**
 * What in a path and query is a credential: the name of a parameter, or a key of this service or a
 * token anywhere. `undefined` if there is none.
 */
export function credentialInUrl(
  url: string,
): { readonly parameter: string | undefined } | undefined {
  if (!SUSPECT.test(url)) return undefined
  const mark = url.indexOf('?')
  for (const [name, value] of new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))) {
    if (value !== '' && NAMES.has(name.toLowerCase().replaceAll(/[-_]/g, ''))) {
      return { parameter: name }
    }
    if (KEY.test(name) || KEY.test(value)) return { parameter: undefined }
  }
  return KEY.test(decoded(url)) ? { parameter: undefined } : undefined
}

/** The URL as it may be logged: of one with a credential only the path, without key or token. */
export function withoutCredentials(url: string): string {
  if (credentialInUrl(url) === undefined) return url
  const [path = ''] = url.split('?')
  return KEY.test(decoded(path)) ? '***' : `${path}?***`
}

/** Percent signs that encode nothing stay. */
function decoded(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
