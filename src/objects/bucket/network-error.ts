const CODE = /^(?:E[A-Z]+|EAI_[A-Z]+|ERR_STREAM_PREMATURE_CLOSE|ERR_SOCKET[A-Z_]*)$/
/** In these words Node and the libraries tell of connections that were cut or never made. */
const TOLD = [
  /socket hang up|premature close|network timeout|^aborted$|Connection closed/i,
  /\b(?:connect|read|write|getaddrinfo) E[A-Z_]{3,}\b/,
]
const CAUSES_MAX = 5

/** Whether an error tells of the network: libraries wrap it, with or without its code. */
export function isNetworkError(error: unknown): boolean {
  let next = error
  for (let depth = 0; depth < CAUSES_MAX && typeof next === 'object' && next !== null; depth++) {
    const { code, message, cause } = next as Readonly<Record<string, unknown>>
    if (typeof code === 'string' && CODE.test(code)) return true
    if (typeof message === 'string' && TOLD.some((words) => words.test(message))) return true
    next = cause
  }
  return false
}
