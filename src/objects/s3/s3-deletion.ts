const BODY_LENGTH_MAX = 2 * 1024 * 1024
const PROLOG = /^\s*(?:<\?xml[^<>]*\?>)?\s*<Delete(?:\s+xmlns="[^"<>]*")?>/
const EPILOG = /<\/Delete>\s*$/
/** One object by its key alone, or the wish for a short answer. */
const ITEM =
  /\s*(?:<Object>\s*<Key>([^<>]*)<\/Key>\s*<\/Object>|<Quiet>(?:true|false)<\/Quiet>)\s*/y
const ENTITY = /&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
}
const CODE_POINT_MAX = 0x10ffff

/**
 * The keys in the body of a DeleteObjects request. `undefined` if it says anything else than which
 * keys to delete: a store might read it in another way.
 */
export function deletedKeys(body: string): readonly string[] | undefined {
  const start = PROLOG.exec(body)?.[0].length
  const end = EPILOG.exec(body)?.index
  if (body.length > BODY_LENGTH_MAX || start === undefined || end === undefined) return undefined
  const keys: string[] = []
  ITEM.lastIndex = start
  let at = start
  while (at < end) {
    const item = ITEM.exec(body)
    if (item === null) return undefined
    at = ITEM.lastIndex
    if (item[1] === undefined) continue
    const key = unescaped(item[1])
    if (key === undefined) return undefined
    keys.push(key)
  }
  return keys
}

/** The body that deletes one object; the key has no character of XML. */
export function deletionOf(key: string): string {
  return `<Delete><Object><Key>${key}</Key></Object><Quiet>true</Quiet></Delete>`
}

function unescaped(text: string): string | undefined {
  if (text.replaceAll(ENTITY, '').includes('&')) return undefined
  return text.replaceAll(ENTITY, (_, name?: string, decimal?: string, hex?: string) => {
    if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? ''
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
    // A control character, which no key may have.
    return code > CODE_POINT_MAX ? '\u0000' : String.fromCodePoint(code)
  })
}
