/** What a client would like (RFC 7240). */
export interface Preferences {
  /** It does not want to wait for the dump. */
  readonly isAsync: boolean
  /** How long it likes to wait. */
  readonly waitSeconds: number | undefined
}

const HEADER_LENGTH_MAX = 1_000

/** What is not known is ignored, as the specification wants it. */
export function parsePrefer(header: string | readonly string[] | undefined): Preferences {
  const text = String(header ?? '').slice(0, HEADER_LENGTH_MAX)
  const preferences = text.split(',').map((part) => part.split(';')[0]?.trim().toLowerCase() ?? '')
  const wait = preferences.map((part) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(part)?.[1]).find(Boolean)
  return {
    isAsync: preferences.includes('respond-async'),
    waitSeconds: wait === undefined ? undefined : Number(wait),
  }
}
