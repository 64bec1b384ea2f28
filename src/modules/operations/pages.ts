import { readFile } from 'node:fs/promises'
import type { Dialect } from '../../http/dialect.ts'
import { addressedPage, renderDocs } from '../../http/docs/docs-page.ts'
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

  /** The file, for this address; `undefined` if it was not installed with the service. */
  async openapiYaml(address: string): Promise<string | undefined> {
    try {
      const text = await readFile(OPENAPI_YAML, 'utf8')
      return text.replace(/^ {2}- url: \/$/m, () => `  - url: ${JSON.stringify(address)}`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  docsHtml(address: string): string {
    this.#html ??= renderDocs(buildOpenApi(this.#dialects()))
    return addressedPage(this.#html, address)
  }
}
