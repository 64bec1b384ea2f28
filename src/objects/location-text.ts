// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/
// Half of a surrogate pair has no UTF-8 form, so several spellings would name one file.
const LONE_SURROGATE = /\p{Surrogate}/u
const ENCODED_BACKSLASH_OR_DOT = /%(?:2e|5c|00)/i
// Engines encode it in the folder of a partition: `kind=a%2Fb`.
const ENCODED_SLASH = /%2f/gi
const DOTS_FAULT = 'it has a segment that consists of dots'

/**
 * What is wrong with the path of a location, for any store; `undefined` if nothing is. Nothing in
 * it is decoded, and whoever decodes it all the same must not get out of its folder.
 */
export function findPathFault(path: string, bytesMax: number): string | undefined {
  if (path.length > bytesMax || Buffer.byteLength(path) > bytesMax) {
    return `its path is longer than ${bytesMax} bytes`
  }
  if (CONTROL_CHARACTER.test(path)) return 'it contains a control character'
  if (LONE_SURROGATE.test(path)) return 'it is not valid Unicode'
  if (path.includes('\\')) return 'it contains a backslash'
  if (path.includes('//')) return 'it has an empty segment'
  if (ENCODED_BACKSLASH_OR_DOT.test(path)) return 'it contains an encoded backslash, dot or NUL'
  // Whoever decodes it must not get out of the folder.
  const segments = path.replaceAll(ENCODED_SLASH, '/').split('/')
  if (segments.includes('.') || segments.includes('..')) return DOTS_FAULT
  return undefined
}
