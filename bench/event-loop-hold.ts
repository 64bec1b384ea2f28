import { setTimeout as sleep } from 'node:timers/promises'

/** The longest hold of the service's event loop since this was last asked, in milliseconds. */
export async function longestHoldMs({ url }: { readonly url: string }): Promise<number> {
  await sleep(20) // until the watch has fired
  // Not over a kept connection: some work takes longer than the service lets one idle.
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const held = /^moraine_event_loop_held_max_seconds (.+)$/m.exec(metrics)?.[1]
  return Number(held) * 1000
}
