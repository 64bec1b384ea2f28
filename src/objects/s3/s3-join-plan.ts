import type { PlacedPart } from '../bucket/bucket-links.ts'

const MIB = 1024 * 1024
/** Every part of an upload but the last has at least as many bytes. */
export const PART_BYTES_MIN = 5 * MIB
/** More at once would take the store too long to answer. */
export const COPIED_BYTES_MAX = 128 * MIB
const PARTS_MAX = 10_000

/** A part of an upload: copied by the store, or read and sent. */
export type PlannedPart =
  | { readonly kind: 'copy'; readonly part: PlacedPart }
  | { readonly kind: 'send'; readonly parts: readonly PlacedPart[] }

/**
 * Parts of an upload that joins these. What is too short to be copied is sent with the first bytes
 * of what follows: of 30 bytes and 100 MiB, 5 MiB are sent and the others copied. `undefined` if
 * nothing can be copied, or the parts are too many.
 */
export function planJoin(parts: readonly PlacedPart[]): readonly PlannedPart[] | undefined {
  const planned: PlannedPart[] = []
  let held: PlacedPart[] = []
  let heldBytes = 0
  const flush = () => {
    if (held.length > 0) planned.push({ kind: 'send', parts: held })
    held = []
    heldBytes = 0
  }
  for (const part of parts) {
    let rest = part
    if (heldBytes > 0) {
      const taken = Math.min(PART_BYTES_MIN - heldBytes, part.lengthBytes)
      held.push({ ...part, lengthBytes: taken })
      heldBytes += taken
      if (heldBytes === PART_BYTES_MIN) flush()
      rest = after(part, taken)
    }
    if (rest.lengthBytes >= PART_BYTES_MIN) {
      const copied = planCopy(rest, COPIED_BYTES_MAX)
      planned.push(...copied.map((each) => ({ kind: 'copy' as const, part: each })))
    } else if (rest.lengthBytes > 0) {
      held.push(rest)
      heldBytes += rest.lengthBytes
    }
  }
  flush()
  const isCopied = planned.some(({ kind }) => kind === 'copy')
  return isCopied && planned.length <= PARTS_MAX ? planned : undefined
}

/** Equal parts, as few as may be: none is too short. */
export function planCopy(part: PlacedPart, bytesMax: number): readonly PlacedPart[] {
  const count = Math.ceil(part.lengthBytes / bytesMax)
  const lengthBytes = Math.ceil(part.lengthBytes / count)
  return Array.from({ length: count }, (_, i) => {
    const rest = after(part, i * lengthBytes)
    return { ...rest, lengthBytes: Math.min(lengthBytes, rest.lengthBytes) }
  })
}

function after(part: PlacedPart, bytes: number): PlacedPart {
  return { ...part, offset: part.offset + bytes, lengthBytes: part.lengthBytes - bytes }
}
