import { writeFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import { buildOpenApi } from '../src/http/docs/openapi.ts'
import { documentedDialects } from '../src/modules.ts'
import { problemsMarkdown } from '../src/problem/problem-markdown.ts'

/** Writes what is made from the routes and problems; tests in test/http fail when it is stale. */
export function openapiYaml(): string {
  const header = '# Made by `npm run openapi` from src/modules: edit the shapes and routes there.\n'
  const document = buildOpenApi(documentedDialects())
  return header + stringify(document, { aliasDuplicateObjects: false, lineWidth: 100 })
}

if (process.argv[1]?.endsWith('write-openapi.ts') === true) {
  await writeFile(new URL('../openapi.yaml', import.meta.url), openapiYaml())
  await writeFile(new URL('../docs/problems.md', import.meta.url), problemsMarkdown())
}
