import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, isIPv6 } from 'node:net'

/** More are a client's invention. */
const HOPS_MAX = 20
const MAPPED = /^::ffff:(?=\d+\.)/i

/** Proxies whose word about their clients is believed. */
export class TrustedProxies {
  readonly #list = new BlockList()
  readonly #isEmpty: boolean

  /** Addresses and ranges, such as `10.0.0.7` and `10.0.0.0/8`. */
  constructor(proxies: readonly string[]) {
    this.#isEmpty = proxies.length === 0
    for (const proxy of proxies) {
      const [address = '', bits] = proxy.split('/')
      const family = isIPv6(address) ? 'ipv6' : 'ipv4'
      if (bits === undefined) this.#list.addAddress(address, family)
      else this.#list.addSubnet(address, Number(bits), family)
    }
  }

  has(address: string): boolean {
    return !this.#isEmpty && this.#list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  }

  /**
   * The address that sent the request to the first trusted proxy on its way: the last one in
   * `X-Forwarded-For` that is no trusted proxy itself. What stands before it, the client may have
   * written.
   */
  clientOf({ socket, headers }: IncomingMessage): string | undefined {
    const { remoteAddress } = socket
    if (remoteAddress === undefined || !this.has(remoteAddress)) return remoteAddress
    const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',')
    let client = remoteAddress
    for (const hop of forwarded.split(',').slice(-HOPS_MAX).reverse()) {
      const address = addressIn(hop.trim())
      if (address === undefined) return client
      client = address
      if (!this.has(client)) return client
    }
    return client
  }
}

/** Without a port, and without the brackets of IPv6. */
function addressIn(hop: string): string | undefined {
  const [, bracketed] = /^\[([^\]]+)\](?::\d+)?$/.exec(hop) ?? []
  const [, dotted] = /^(\d+(?:\.\d+){3})(?::\d+)?$/.exec(hop) ?? []
  const address = (bracketed ?? dotted ?? hop).replace(MAPPED, '')
  return isIP(address) === 0 || address.includes('%') ? undefined : address
}
