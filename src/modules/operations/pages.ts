import { readFile } from 'node:fs/promises'
import type { Dialect } from '../../http/dialect.ts'
import { renderDocs } from '../../http/docs/docs-page.ts'
import { buildOpenApi } from '../../http/docs/openapi.ts'

// The same depth in src/modules/operations and dist/modules/operations.
const OPENAPI_YAML = new URL('../../../openapi.yaml', import.meta.url)

/** The documents of the API. */
export class Pages {
  readonly #dialects: () => readonly Dialect[]
  #html: string | undefined

  /** Takes protocols lazily, at the first request: not all exist when this is constructed. */
  constructor(dialects: () => readonly Dialect[]) {
    this.#dialects = dialects
  }

  /** The file; `undefined` if it was not installed with the service. */
  async openapiYaml(): Promise<string | undefined> {
    try {
      return await readFile(OPENAPI_YAML, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  docsHtml(): string {
    this.#html ??= renderDocs(buildOpenApi(this.#dialects()))
    return this.#html
  }
}
