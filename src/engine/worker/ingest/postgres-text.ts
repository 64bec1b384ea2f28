import type { PrimitiveType } from '../../../core/value/type.ts'

const HEX = /^\\x((?:[0-9a-f]{2})*)$/
const BOOLEANS: ReadonlyMap<string, string> = new Map([
  ['t', 'true'],
  ['f', 'false'],
])
/** `0044-03-15 BC` with or without a time. The year 1 BC is 0000. */
const BEFORE_CHRIST = /^(\d{4,})(-\d\d-\d\d.*) BC$/

/** A value as COPY of PostgreSQL writes it (dates in ISO, bytes in hex), as uploads write it. */
export function fromPostgres({ kind }: PrimitiveType, text: string): string {
  switch (kind) {
    case 'boolean':
      return BOOLEANS.get(text) ?? text
    case 'binary': {
      const hex = HEX.exec(text)?.[1]
      return hex === undefined ? text : Buffer.from(hex, 'hex').toString('base64')
    }
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return text.replace(BEFORE_CHRIST, (_, year, rest) => `${yearBefore(Number(year))}${rest}`)
    default:
      return text
  }
}

function yearBefore(year: number): string {
  return year === 1 ? '0000' : `-${String(year - 1).padStart(4, '0')}`
}
