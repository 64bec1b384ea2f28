/** The XML reports that both pytest and JUnit's console launcher write. */
export type Outcome = 'passed' | 'failed' | 'skipped'

export interface TestResult {
  /** `Class#test`, without parentheses and packages. */
  readonly name: string
  readonly outcome: Outcome
  /** The first line of the failure message, when the test did not pass. */
  readonly reason: string
  readonly seconds: number
}

const TEST_CASE = /<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g
const TROUBLE = /<(failure|error|skipped)\b([^>]*?)(?:\/>|>([\s\S]*?)<\/\1>)/
const REASON_LENGTH_MAX = 300

export function parseJunitReport(xml: string): TestResult[] {
  return [...xml.matchAll(TEST_CASE)].map(([, attributes = '', body = '']) => {
    const className = (attributeOf(attributes, 'classname') ?? '').split('.').at(-1)
    const test = (attributeOf(attributes, 'name') ?? '').replace(/\(\)$/, '')
    return {
      name: `${className}#${test}`,
      seconds: Number(attributeOf(attributes, 'time') ?? 0),
      ...outcomeOf(body),
    }
  })
}

function outcomeOf(body: string): Pick<TestResult, 'outcome' | 'reason'> {
  const [, kind, attributes = '', text = ''] = TROUBLE.exec(body) ?? []
  if (kind === undefined) return { outcome: 'passed', reason: '' }
  const reason = attributeOf(attributes, 'message') || plainText(text)
  return { outcome: kind === 'skipped' ? 'skipped' : 'failed', reason: shorten(reason) }
}

function attributeOf(attributes: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1]
  return value === undefined ? undefined : unescapeXml(value)
}

function plainText(text: string): string {
  return unescapeXml(text.replace(/<!\[CDATA\[|\]\]>/g, ''))
}

function shorten(reason: string): string {
  const [firstLines = ''] = reason.split(/\n\s*at /)
  return firstLines.replace(/\s+/g, ' ').trim().slice(0, REASON_LENGTH_MAX)
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
}

function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (entity, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return ENTITIES[name] ?? entity
  })
}
