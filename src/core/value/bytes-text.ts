/** Hexadecimal digits in lower case, two for each byte. */
export function hexText(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

/** Parses hexadecimal digits; `undefined` unless `text` is an even number of them. */
export function parseHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  }
  return bytes
}

/** Formats 16 bytes like `f79c3e09-677c-4bbd-a479-3f349cb785e7`. */
export function uuidText(bytes: Uint8Array): string {
  const hex = hexText(bytes)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}

const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function parseUuid(text: string): Uint8Array | undefined {
  return UUID_PATTERN.test(text) ? parseHex(text.replaceAll('-', '')) : undefined
}
