import { readFile } from 'node:fs/promises'
import { renderDocs } from './docs/docs-page.ts'
import { buildOpenApi } from './docs/openapi.ts'
import type { Pages } from './route.ts'
import { ROUTES } from './route-table.ts'

// The same distance from src/http and from dist/http.
const OPENAPI_YAML = new URL('../../openapi.yaml', import.meta.url)

let html: string | undefined

/** Made once, when first asked for. */
export const pages: Pages = {
  async openapiYaml() {
    try {
      return await readFile(OPENAPI_YAML, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  },
  docsHtml() {
    html ??= renderDocs(buildOpenApi(ROUTES))
    return html
  },
}
