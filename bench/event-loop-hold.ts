import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

/** The longest hold of the service's event loop since this was last asked, in milliseconds. */
export async function longestHoldMs({ url }: { readonly url: string }): Promise<number> {
  await sleep(20) // until the watch has fired
  // Not over a kept connection: some work takes longer than the service lets one idle.
  const [response] = await once(get(`${url}/metrics`, { agent: false }), 'response')
  const metrics = await text(response as IncomingMessage)
  const held = /^moraine_event_loop_held_max_seconds (.+)$/m.exec(metrics)?.[1]
  return Number(held) * 1000
}
