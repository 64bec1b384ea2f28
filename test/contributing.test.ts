import { existsSync, readFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const guide = read('CONTRIBUTING.md')
const code = [...guide.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text)

test('what CONTRIBUTING.md names is there', () => {
  const named = code.filter((text) => /^[\w./-]+\/[\w./-]+$|^[\w-]+\.(md|ts|yaml|js)$/.test(text))
  expect(named.length).toBeGreaterThan(15)
  const places = ['', 'src/', 'src/catalog/', 'src/modules/', 'test/modules/iceberg-rest/http/']
  for (const path of named) {
    const isThere = places.some((place) => existsSync(new URL(place + path, root)))
    expect([path, isThere]).toEqual([path, true])
  }
})

test('its commands are those of package.json and the Makefile', () => {
  const { scripts } = JSON.parse(read('package.json'))
  for (const [, name = ''] of guide.matchAll(/npm run ([\w:]+)/g)) {
    expect([name, name in scripts]).toEqual([name, true])
  }
  const makefile = read('Makefile')
  for (const [, target] of guide.matchAll(/`make ([\w-]+)`/g)) {
    expect(makefile).toMatch(new RegExp(`^${target}:`, 'm'))
  }
})
