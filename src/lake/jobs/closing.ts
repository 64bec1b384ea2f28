import { setMaxListeners } from 'node:events'

/**
 * The stop of everything that one part of the service runs. Each task, job or consumer listens, so
 * there is no number of them at which Node should suspect a leak.
 */
export function newClosing(): AbortController {
  const closing = new AbortController()
  setMaxListeners(0, closing.signal)
  return closing
}
