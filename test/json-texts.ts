/** Characters of JSON that are parsed and written until the work is done. */
export async function jsonTextsOf(
  work: () => Promise<unknown>,
): Promise<{ readonly parsed: number; readonly written: number }> {
  const { parse, stringify } = JSON
  const lengths = { parsed: 0, written: 0 }
  JSON.parse = (text, ...rest) => {
    lengths.parsed += String(text).length
    return parse(text, ...rest)
  }
  const counted = (value: unknown, replacer: undefined, space?: number) => {
    const text = stringify(value, replacer, space)
    lengths.written += text?.length ?? 0
    return text
  }
  JSON.stringify = counted as typeof stringify
  try {
    await work()
  } finally {
    Object.assign(JSON, { parse, stringify })
  }
  return lengths
}
