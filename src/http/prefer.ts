/** Preferences of a client (RFC 7240). */
export interface Preferences {
  /** Whether it does not want to wait (`respond-async`). */
  readonly isAsync: boolean
  /** How long it prefers to wait. */
  readonly waitSeconds: number | undefined
}

/** The wait of one request, which begins when this is made. */
export class Wait {
  readonly #beganMs = performance.now()

  /** What is left of so many seconds, in milliseconds: 0 when they are over. */
  leftMs(seconds: number): number {
    return Math.max(0, seconds * 1_000 - (performance.now() - this.#beganMs))
  }
}

const HEADER_LENGTH_MAX = 1_000

/** Parses Prefer; unknown preferences are ignored, as the specification says. */
export function parsePrefer(header: string | readonly string[] | undefined): Preferences {
  const text = String(header ?? '').slice(0, HEADER_LENGTH_MAX)
  const preferences = text.split(',').map((part) => part.split(';')[0]?.trim().toLowerCase() ?? '')
  const wait = preferences.map((part) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(part)?.[1]).find(Boolean)
  return {
    isAsync: preferences.includes('respond-async'),
    waitSeconds: wait === undefined ? undefined : Number(wait),
  }
}
