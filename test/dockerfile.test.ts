import { existsSync, readFileSync } from 'node:fs'

// No engine runs where these tests do: what can be told from the file alone is held here.
const root = new URL('..', import.meta.url)
const dockerfile = readFileSync(new URL('Dockerfile', root), 'utf8')
const ignored = readFileSync(new URL('.dockerignore', root), 'utf8').split('\n')
const { engines, scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources]) =>
  (sources ?? '').split(' '),
)

test('everything that the image copies is there, and sent to the engine that builds it', () => {
  expect(copied).toEqual(expect.arrayContaining(['package.json', 'src', 'schemas']))
  for (const source of copied) {
    expect(existsSync(new URL(source, root))).toBe(true)
    expect(ignored).toContain(`!${source}`)
  }
})

test('the image starts what `npm start` does, on a Node that is supported', () => {
  const [, command] = /^CMD \[(.+)\]$/m.exec(dockerfile) ?? []
  expect(command?.replaceAll(/[",]/g, '')).toBe(scripts.start)
  const versions = [...dockerfile.matchAll(/^FROM node:(\d+)/gm)].map(([, major]) => Number(major))
  const [, oldest] = /(\d+)/.exec(engines.node) ?? []
  expect(versions.length).toBeGreaterThan(0)
  for (const version of versions) expect(version).toBeGreaterThanOrEqual(Number(oldest))
})

test('the image does not run as root', () => {
  expect(dockerfile).toMatch(/^USER node$/m)
})
