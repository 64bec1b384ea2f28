/** Longest text for which this is faster than TextDecoder. */
const LENGTH_MAX = 64

/** Decodes short ASCII text, five times as fast as TextDecoder; `undefined` for anything else. */
export function asciiText(bytes: Uint8Array): string | undefined {
  if (bytes.length > LENGTH_MAX) return undefined
  let text = ''
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    if (byte > 127) return undefined
    text += String.fromCharCode(byte)
  }
  return text
}
