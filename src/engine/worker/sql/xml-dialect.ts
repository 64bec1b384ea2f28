import type { Field, PrimitiveType } from '../../../core/value/type.ts'
import { quoteText } from './sql-text.ts'
import { type Dialect, floatText, textual } from './text-dialect.ts'
import { NOT_IN_XML_NAMES, XML_NAME_START } from './xml-names.ts'

/** Element of a list, struct or map, whose position, name or key is its attribute. */
const VALUE = 'value'
const KEY = 'key'
/** Characters that no XML document can have, with or without an escape. */
const NEVER_IN_XML = '[\\x00-\\x08\\x0B\\x0C\\x0E-\\x1F\\x{FFFE}\\x{FFFF}]'
const SPECIAL = '[&<>"\\x00-\\x1F\\x{FFFE}\\x{FFFF}]'
const ESCAPES = [
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ['\t', '&#9;'],
  ['\n', '&#10;'],
  ['\r', '&#13;'],
] as const

/** Values as the content of an element (docs/dump-dialects.md, "XML"); NULL has none. */
export const XML_VALUES: Dialect = {
  primitive: xmlText,
  key: xmlText,
  struct: (members) =>
    joinedSql(members.map(({ name, value }) => node(VALUE, value, keySql(name)))),
  list: (elements) => nodesSql(elements, (x, i) => node(VALUE, x, indexSql(i))),
  map: (entries, hasNestedKey) =>
    nodesSql(entries, (entry, i) =>
      hasNestedKey
        ? node(VALUE, entryContent(entry), indexSql(i))
        : node(VALUE, `${entry}.value`, `' ${KEY}="' || ${entry}.key || '"'`),
    ),
  absent: () => 'NULL',
  unknown: () => 'NULL',
}

/** SQL for a row: an element `row` with one element for each column. */
export function xmlRowSql(nodes: readonly string[]): string {
  return joinedSql(["'<row>'", ...nodes, "'</row>'"])
}

/** SQL for the elements of a row, of which texts can be joined. */
export function xmlNodes(fields: readonly Field[], values: readonly string[]): readonly string[] {
  const names = elementNames(fields.map(({ name }) => name))
  return fields.map(({ name }, i) => {
    const element = names[i] ?? VALUE
    return node(element, values[i] ?? 'NULL', element === name ? undefined : keySql(name))
  })
}

/** By one function: operators would nest an expression as deep as there are texts. */
export function joinedSql(texts: readonly string[]): string {
  return `concat(${texts.join(', ')})`
}

/** Names of elements that are valid and differ; those of columns that are both stay as they are. */
export function elementNames(columns: readonly string[]): readonly string[] {
  const taken = new Set<string>()
  const nexts = new Map<string, number>()
  return columns.map((column) => {
    const cleaned = column.replaceAll(NOT_IN_XML_NAMES, '_')
    const isGood = XML_NAME_START.test(cleaned) && !/^xml/i.test(cleaned)
    const base = isGood ? cleaned : `_${cleaned}`
    let name = base
    // From where the last column of that name came to: many may be cleaned to the same.
    let next = nexts.get(base) ?? 0
    for (; taken.has(name); next++) name = `${base}_${next}`
    nexts.set(base, next)
    taken.add(name)
    return name
  })
}

function node(element: string, content: string, attribute?: string): string {
  const attributes = attribute === undefined ? '' : ` || ${attribute}`
  const start = `'<${element}'${attributes}`
  const nil = `'<${element} xsi:nil="true"'${attributes} || ' />'`
  return `coalesce(${start} || '>' || ${content} || '</${element}>', ${nil})`
}

function nodesSql(list: string, of: (element: string, index: string) => string): string {
  return `array_to_string(list_transform(${list}, lambda xe, xi: ${of('xe', 'xi')}), '')`
}

function entryContent(entry: string): string {
  return [
    node(VALUE, `${entry}.key`, keySql('key')),
    node(VALUE, `${entry}.value`, keySql('value')),
  ].join(' || ')
}

function keySql(name: string): string {
  return `' ${KEY}="' || ${escapedSql(quoteText(name))} || '"'`
}

function indexSql(index: string): string {
  return `' ${KEY}="' || (${index} - 1) || '"'`
}

function xmlText(type: PrimitiveType, sql: string): string {
  if (type.kind === 'string') return escapedSql(sql)
  if (type.kind === 'float' || type.kind === 'double') return floatText(sql)
  return `CAST(${textual(type, sql)} AS VARCHAR)`
}

function escapedSql(sql: string): string {
  const valid = `regexp_replace(${sql}, '${NEVER_IN_XML}', chr(65533), 'g')`
  const escaped = ESCAPES.reduce(
    (text, [from, to]) => `replace(${text}, ${quoteText(from)}, '${to}')`,
    valid,
  )
  return `CASE WHEN regexp_matches(${sql}, '${SPECIAL}') THEN ${escaped} ELSE ${sql} END`
}
