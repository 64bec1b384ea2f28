import type { FileHandle } from 'node:fs/promises'

/** Largest read or write in one call; Node refuses 2 GiB. */
const CALL_BYTES_MAX = 2 ** 30

export async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(
      bytes,
      offset,
      Math.min(CALL_BYTES_MAX, bytes.byteLength - offset),
    )
    offset += bytesWritten
  }
}

/** Reads the requested bytes; fewer only if the file was truncated in between. */
export function readAt(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  return readInto(handle, offset, fresh(length))
}

export function fresh(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
}

/** Does the same as `readAt`, into memory of the caller. */
export async function readInto(
  handle: FileHandle,
  offset: number,
  bytes: Uint8Array,
): Promise<Uint8Array> {
  const length = bytes.byteLength
  let filled = 0
  while (filled < length) {
    const wanted = Math.min(CALL_BYTES_MAX, length - filled)
    const { bytesRead } = await handle.read(bytes, filled, wanted, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled === length ? bytes : bytes.subarray(0, filled)
}

export function requireCounts(offset: number, bytesMax: number): void {
  if (
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(bytesMax) &&
    offset >= 0 &&
    bytesMax >= 0
  )
    return
  throw new RangeError(`a range of ${bytesMax} bytes from ${offset} is impossible`)
}
