const GROUPS = 8
/** A network has 64 bits of an address of IPv6: whoever has one address has all of these. */
const GROUPS_OF_NETWORK = 4

/** By what callers without a name are told apart: an address of IPv4, or a /64 of IPv6. */
export function callerAddress(address: string): string {
  if (!address.includes(':')) return address
  const [plain = ''] = address.toLowerCase().split('%')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1]
  if (mapped !== undefined) return mapped
  const [before = '', after] = plain.split('::')
  const head = groupsOf(before)
  const tail = groupsOf(after ?? '')
  // An address of IPv4 at the end stands for two groups, and never for one of the first four.
  const dotted = tail.some((group) => group.includes('.')) ? 1 : 0
  const zeros = after === undefined ? 0 : GROUPS - head.length - tail.length - dotted
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail]
  const network = groups.slice(0, GROUPS_OF_NETWORK).map((group) => Number.parseInt(group, 16))
  return `${network.map((group) => group.toString(16)).join(':')}::/64`
}

function groupsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(':')
}
