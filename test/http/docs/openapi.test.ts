import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { openapiYaml } from '../../../scripts/write-openapi.ts'
import { dialectsOf, listModules } from '../../../src/modules.ts'
import { startTestService } from '../harness.ts'

const root = new URL('../../../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')

test('openapi.yaml is what the routes say: run `npm run openapi`', async () => {
  expect(await read('openapi.yaml')).toBe(openapiYaml())
})

test('every route is documented, and what is documented is served', async () => {
  const service = await startTestService()
  const { paths } = parse(await read('openapi.yaml')) as { paths: Record<string, object> }
  const served = dialectsOf(listModules(service.deps)).flatMap(({ root, routes, paths }) =>
    routes.map(({ method, path }) => `${method} ${root}${paths.served(path)}`),
  )
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  )
  expect(served.sort()).toEqual(documented.sort())
  for (const [path, methods] of Object.entries(paths)) {
    const answer = await fetch(service.url + path.replaceAll(/\{[\w-]+\}/g, 'x'), {
      method: 'OPTIONS',
    })
    const isOwnHead = !path.startsWith('/iceberg') && 'get' in methods
    const allowed = [...Object.keys(methods), ...(isOwnHead ? ['head'] : [])]
    expect([path, answer.status]).toEqual([path, 405])
    expect([path, answer.headers.get('allow')?.toLowerCase().split(', ').sort()]).toEqual([
      path,
      allowed.sort(),
    ])
  }
  await service.close()
})

test('every reference of openapi.yaml has a target, and every shape a reference', async () => {
  const text = await read('openapi.yaml')
  const document = parse(text)
  const references = new Set(
    [...text.matchAll(/\$ref: "?#\/([^"\n]+)"?/g)].map(([, path]) => path ?? ''),
  )
  for (const path of references) {
    const target = path.split('/').reduce((node, key) => node?.[key], document)
    expect([path, target]).not.toEqual([path, undefined])
  }
  const shapes = Object.keys(document.components.schemas).map((id) => `components/schemas/${id}`)
  expect(shapes.filter((path) => !references.has(path))).toEqual([])
})

test('operation ids are unique, and every operation has an answer and a summary', async () => {
  const { paths } = parse(await read('openapi.yaml'))
  const operations = Object.values(
    paths as Record<string, Record<string, Record<string, unknown>>>,
  ).flatMap((methods) => Object.values(methods))
  const ids = operations.map((operation) => operation['operationId'])
  expect(new Set(ids).size).toBe(ids.length)
  for (const operation of operations) {
    expect(operation['summary']).toMatch(/\w/)
    const statuses = Object.keys(operation['responses'] as object)
    expect(statuses.some((status) => /^[23]/.test(status))).toBe(true)
    expect(statuses).toContain('500')
  }
})

test('the example of every shape is of that shape', () => {
  const shapes = [...z.globalRegistry._idmap.values()] as z.ZodType[]
  expect(shapes.length).toBeGreaterThan(20)
  for (const shape of shapes) {
    const { id, example } = z.globalRegistry.get(shape) as { id: string; example?: unknown }
    expect([id, shape.safeParse(example).error?.issues]).toEqual([id, undefined])
  }
})
