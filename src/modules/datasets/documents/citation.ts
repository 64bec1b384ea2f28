import { dayOf } from '../../../core/value/date-time.ts'
import { type CitedData, isOrcid } from './cited-data.ts'

export const CITATION_STYLES = ['text', 'bibtex', 'ris', 'csl'] as const
export type CitationStyle = (typeof CITATION_STYLES)[number]

export const CITATION_MEDIA_TYPES: Readonly<Record<CitationStyle, string>> = {
  text: 'text/plain',
  bibtex: 'application/x-bibtex',
  ris: 'application/x-research-info-systems',
  csl: 'application/vnd.citationstyles.csl+json',
}

/** The citation in a style; `csl` as JSON. */
export function citationOf(data: CitedData, style: CitationStyle): string {
  switch (style) {
    case 'text':
      return `${textCitation(data)}\n`
    case 'bibtex':
      return `${bibtexCitation(data)}\n`
    case 'ris':
      return risCitation(data)
    case 'csl':
      return `${JSON.stringify(cslCitation(data))}\n`
  }
}

/** As the American Psychological Association has it. */
export function textCitation({ creators, issuedAtMs, title, version, publisher, url }: CitedData) {
  const year = dayOf(issuedAtMs).slice(0, 4)
  const names = creators.map(({ name }) => name)
  const last = names.length > 1 ? ` & ${names.at(-1)}` : ''
  const authors = (names.length > 1 ? names.slice(0, -1).join(', ') : (names[0] ?? '')) + last
  const what = `${title} (Version ${version}) [Data set]`
  const begin = authors === '' ? `${what} (${year})` : `${authors} (${year}). ${what}`
  return oneLine(`${begin}. ${publisher}. ${url}`)
}

export function bibtexCitation(data: CitedData): string {
  const { creators, issuedAtMs, title, version, publisher, url, name } = data
  const [year, month] = dayOf(issuedAtMs).split('-')
  const key = `${name}_${version}`.replaceAll(/[^A-Za-z0-9_-]/g, '_')
  const authors = creators.map((creator) => `{${escaped(creator.name)}}`).join(' and ')
  const fields = [
    ...(authors === '' ? [] : [['author', authors]]),
    ['title', `{${escaped(title)}}`],
    ['year', year],
    ['month', String(Number(month))],
    ['version', version],
    ['publisher', escaped(publisher)],
    ['howpublished', `\\url{${url}}`],
    ['url', url],
  ]
  const lines = fields.map(([field, value]) => `  ${field} = {${value}}`)
  return `@misc{${key},\n${lines.join(',\n')}\n}`
}

const BIBTEX_SPECIAL: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
}

function escaped(text: string): string {
  return oneLine(text).replaceAll(/[\\~^{}%&#_$]/g, (char) => BIBTEX_SPECIAL[char] ?? `\\${char}`)
}

function risCitation(data: CitedData): string {
  const { creators, issuedAtMs, title, version, publisher, url, description, keywords } = data
  const lines = [
    ['TY', 'DATA'],
    ...creators.map(({ name }) => ['AU', name]),
    ['TI', title],
    ['PY', dayOf(issuedAtMs).slice(0, 4)],
    ['DA', dayOf(issuedAtMs).replaceAll('-', '/')],
    ['PB', publisher],
    ['ET', version],
    ['UR', url],
    ...keywords.map((keyword) => ['KW', keyword]),
    ...(description === null ? [] : [['AB', description]]),
    ['ER', ''],
  ]
  return lines.map(([tag, value = '']) => `${tag}  - ${oneLine(value)}\r\n`).join('')
}

function cslCitation(data: CitedData): object {
  const { creators, issuedAtMs, title, version, publisher, url, description, keywords } = data
  const parts = dayOf(issuedAtMs).split('-').map(Number)
  return {
    type: 'dataset',
    id: url,
    title,
    author: creators.map(({ name, id }) => ({ literal: name, ...(isOrcid(id) && { ORCID: id }) })),
    issued: { 'date-parts': [parts] },
    publisher,
    version,
    URL: url,
    ...(description !== null && { abstract: description }),
    ...(keywords.length > 0 && { keyword: keywords.join(', ') }),
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
