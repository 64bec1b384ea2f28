import { DOCS_STYLE } from '../docs-style.ts'
import type {
  JsonSchema,
  OpenApiDocument,
  OperationDoc,
  ParameterDoc,
  ResponseDoc,
} from './openapi.ts'

/** Stands in the page where the address of the service goes. */
const ADDRESS = '{address}'
/** Stands in the page before the paths of links. */
const BASE = '{base}'

/** The page for a reader who has reached the service at this address. */
export function addressedPage(page: string, address: string): string {
  const base = new URL(address).pathname.replace(/\/$/, '')
  return page.replaceAll(BASE, () => escapeHtml(base)).replace(ADDRESS, () => escapeHtml(address))
}

/** A self-contained page without scripts, for `addressedPage`. */
export function renderDocs(document: OpenApiDocument): string {
  const { info, tags, components } = document
  const sections = tags.map((tag) => ({ ...tag, operations: operationsOf(document, tag.name) }))
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(info.title)} API</title><style>${DOCS_STYLE}</style></head>
<body><nav><strong>${escapeHtml(info.title)}</strong>
${sections.map(links).join('')}
<h2>shapes</h2>${Object.keys(components.schemas)
    .map((id) => `<a href="#shape-${escapeHtml(id)}">${escapeHtml(id)}</a>`)
    .join('')}
</nav><main><h1>${escapeHtml(info.title)} API</h1>${paragraphs(info.description)}
<p>For machines: <a href="${BASE}/openapi.yaml">openapi.yaml</a>. The examples
expect the URL of the service in a shell variable:</p>
${pre(`MORAINE=${ADDRESS}`)}
${sections.map(section).join('')}
<h2 id="shapes">Shapes</h2>${Object.entries(components.schemas).map(shape).join('')}
</main></body></html>
`
}

interface Operation {
  readonly method: string
  readonly path: string
  readonly doc: OperationDoc
}

function operationsOf({ paths }: OpenApiDocument, tag: string): readonly Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, doc]) => doc.tags.includes(tag))
      .map(([method, doc]) => ({ method, path, doc })),
  )
}

function links(tag: { readonly name: string; readonly operations: readonly Operation[] }): string {
  return `<h2>${escapeHtml(tag.name)}</h2>${tag.operations.map(link).join('')}`
}

function link({ doc }: Operation): string {
  return `<a href="#${escapeHtml(doc.operationId)}">${escapeHtml(doc.summary)}</a>`
}

function section(tag: {
  readonly name: string
  readonly description: string
  readonly operations: readonly Operation[]
}): string {
  const name = escapeHtml(tag.name)
  return `<h2 id="${name}">${name}</h2>${paragraphs(tag.description)}
${tag.operations.map(operation).join('')}`
}

function operation({ method, path, doc }: Operation): string {
  return `<section id="${escapeHtml(doc.operationId)}"><h3>${escapeHtml(doc.summary)}</h3>
<p class="route"><span class="method ${method}">${method.toUpperCase()}</span>
${escapeHtml(path)}</p>
${paragraphs(doc.description ?? '')}
${(doc['x-codeSamples'] ?? []).map(({ source }) => pre(source)).join('')}
<p class="dim">Permission: ${escapeHtml(doc['x-permission'])}.</p>
${parameters(doc.parameters ?? [])}${body(doc)}
<h4>Responses</h4>${table(Object.entries(doc.responses).map(response))}</section>`
}

function parameters(list: readonly ParameterDoc[]): string {
  if (list.length === 0) return ''
  const rows = list.map((parameter) => [
    `<code>${escapeHtml(parameter.name)}</code>`,
    `<span class="dim">${parameter.in}</span>`,
    inline(parameter.description ?? ''),
  ])
  return `<h4>Parameters</h4>${table(rows)}`
}

function body({ requestBody }: OperationDoc): string {
  if (requestBody === undefined) return ''
  const forms = Object.entries(requestBody.content).map(([mediaType, { schema, example }]) => {
    const shown = example === undefined ? '' : pre(JSON.stringify(example, null, 2))
    return `<p><code>${escapeHtml(mediaType)}</code> ${typeText(schema)}</p>${shown}`
  })
  return `<h4>Body${requestBody.required ? '' : ' (optional)'}</h4>${forms.join('')}`
}

const PROBLEM_CODE = /(?<=^|<br>)<code>([a-z-]+)<\/code>/g

function response([status, doc]: [string, ResponseDoc]): readonly string[] {
  const shapes = Object.values(doc.content ?? {}).map(({ schema }) => typeText(schema))
  const description = doc.description.split('\n\n').map(inline).join('<br>')
  const linked = description.replaceAll(PROBLEM_CODE, `<a href="${BASE}/problems/$1">$&</a>`)
  return [
    `<code>${status}</code>`,
    Number(status) < 400 ? description : linked,
    [...new Set(shapes)].join(' '),
  ]
}

const OPTIONAL = ' <span class="dim">optional</span>'

function shape([id, schema]: [string, JsonSchema]): string {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>)
  const required = new Set(schema['required'] as readonly string[] | undefined)
  const rows = properties.map(([name, property]) => [
    `<code>${escapeHtml(name)}</code>${required.has(name) ? '' : OPTIONAL}`,
    typeText(property),
    inline(String(property['description'] ?? '')),
  ])
  const [example] = (schema['examples'] ?? []) as readonly unknown[]
  const shown = example === undefined ? '' : pre(JSON.stringify(example, null, 2))
  const alternatives = properties.length === 0 ? `<p>${typeText(schema)}</p>` : table(rows)
  return `<section id="shape-${escapeHtml(id)}"><h3>${escapeHtml(id)}</h3>
${paragraphs(String(schema['description'] ?? ''))}${alternatives}${shown}</section>`
}

/** A short description of a type, with links to shapes. */
function typeText(schema: JsonSchema): string {
  const reference = schema['$ref']
  if (typeof reference === 'string') {
    const id = escapeHtml(reference.split('/').at(-1) ?? '')
    return `<a href="#shape-${id}">${id}</a>`
  }
  const alternatives = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(alternatives)) {
    return [...new Set(alternatives.map((one: JsonSchema) => typeText(one)))].join(' or ')
  }
  if (schema['type'] === 'array')
    return `list of ${typeText((schema['items'] ?? {}) as JsonSchema)}`
  if (schema['type'] === 'object' && schema['properties'] !== undefined) return members(schema)
  const choices = schema['enum'] ?? (schema['const'] === undefined ? undefined : [schema['const']])
  if (Array.isArray(choices))
    return choices.map((one) => `<code>${escapeHtml(String(one))}</code>`).join(' ')
  return escapeHtml([schema['type'] ?? 'any value'].flat().join(' or '))
}

function members(schema: JsonSchema): string {
  const properties = Object.entries(schema['properties'] as Record<string, JsonSchema>)
  const listed = properties.map(
    ([name, property]) => `<code>${escapeHtml(name)}</code>: ${typeText(property)}`,
  )
  return `{ ${listed.join(', ')} }`
}

function table(rows: readonly (readonly string[])[]): string {
  const cellsOf = (row: readonly string[]) => row.map((cell) => `<td>${cell}</td>`).join('')
  return `<table>${rows.map((row) => `<tr>${cellsOf(row)}</tr>`).join('')}</table>`
}

function paragraphs(text: string): string {
  if (text === '') return ''
  return text
    .split('\n\n')
    .map((paragraph) => `<p>${inline(paragraph)}</p>`)
    .join('')
}

/** Text, with `code` for backticks. */
function inline(text: string): string {
  return escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

function pre(text: string): string {
  return `<pre><code>${escapeHtml(text)}</code></pre>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
}
