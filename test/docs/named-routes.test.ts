import { parse } from 'yaml'
import { projectFiles, read } from '../tidy/project-files.ts'

/** A method and a path of this service, as texts name routes: `GET /v1/tables/{table}`. */
const NAMED = /\b(GET|HEAD|POST|PUT|PATCH|DELETE) (\/[^\s`'")?,;*]+)/g
/** Where a parameter is meant: `{table}`, `<id>`, `${name}` or `…`. */
const ANY = /[{<…]/

const routes = Object.entries(parse(read('openapi.yaml')).paths as Record<string, object>).map(
  ([path, methods]) => ({ parts: partsOf(path), methods: Object.keys(methods) }),
)
const texts = projectFiles().filter((path) => /^src\/.*\.ts$|\.md$/.test(path))

function partsOf(path: string): string[] {
  return path.replace(/[/.:]+$/, '').split('/')
}

function isRoute(method: string, path: string): boolean {
  const parts = partsOf(path)
  const served = method === 'HEAD' ? 'get' : method.toLowerCase()
  return routes.some(
    (route) =>
      route.methods.includes(served) &&
      route.parts.length === parts.length &&
      route.parts.every(
        (part, i) => ANY.test(part) || ANY.test(parts[i] ?? '') || part === parts[i],
      ),
  )
}

test('a route that a text names by method and path is there', () => {
  const named = texts.flatMap((file) =>
    [...read(file).matchAll(NAMED)].map(([, method = '', path = '']) => ({ file, method, path })),
  )
  expect(named.length).toBeGreaterThan(50)
  expect(named.filter(({ method, path }) => !isRoute(method, path))).toEqual([])
})
