import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import {
  commandOf,
  copyOf,
  type Instruction,
  isIgnored,
  parseDockerfile,
  variablesOf,
} from '../../interop/dockerfile.ts'

// `npx tsx interop/run.ts image` does every step; here is what the files alone can tell.
const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const stages = parseDockerfile(read('Dockerfile'))
const dockerignore = read('.dockerignore')
const manifest = JSON.parse(read('package.json'))

const last = stages.at(-1)
if (last === undefined) throw new Error('the Dockerfile has no stage')
const image = last
const all = stages.flatMap(({ instructions }) => instructions)
const fromContext = (instructions: readonly Instruction[]) =>
  instructions
    .filter(({ name, flags }) => name === 'COPY' && !flags.has('from'))
    .flatMap((instruction) => copyOf(instruction).sources)

function only(name: string): Instruction {
  const [found, ...more] = image.instructions.filter((instruction) => instruction.name === name)
  if (found === undefined || more.length > 0) throw new Error(`${name} must stand once`)
  return found
}

function sourcesIn(folder: URL): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith('.ts'))
}

test('everything that the image copies is there, and sent to the engine that builds it', () => {
  const copied = fromContext(all)
  expect(copied).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', 'src']))
  for (const path of copied) {
    expect([path, existsSync(new URL(path, root))]).toEqual([path, true])
    expect([path, isIgnored(dockerignore, path)]).toEqual([path, false])
  }
})

test('nothing else is sent: no history, no secrets, no modules of this machine', () => {
  for (const path of ['.git', '.env', 'node_modules', 'test', 'dist', 'interop/.venv']) {
    expect([path, isIgnored(dockerignore, path)]).toEqual([path, true])
  }
  const sent = [...dockerignore.matchAll(/^!(.+)$/gm)].map(([, path]) => path)
  expect(sent.sort()).toEqual(fromContext(all).sort())
})

test('files that the sources read beside them are in the image', () => {
  const copied = image.instructions
    .filter(({ name }) => name === 'COPY')
    .flatMap((instruction) => copyOf(instruction).sources.map((path) => basename(path)))
  const folder = new URL('src/', root)
  const outside = sourcesIn(folder).flatMap((file) => {
    const source = readFileSync(new URL(file, folder), 'utf8')
    return [...source.matchAll(/new URL\('(\.[^']+)', import\.meta\.url\)/g)]
      .map(([, path = '']) => new URL(path, new URL(file, folder)).href)
      .filter((href) => !href.startsWith(folder.href))
      .map((href) => href.slice(root.href.length))
  })
  expect(outside).toEqual(expect.arrayContaining(['openapi.yaml', 'schemas/sql/']))
  for (const path of outside) expect(copied).toContain(path.split('/')[0])
})

test('the image starts what `npm start` does, by Node itself, which gets the signal', () => {
  expect(`exec ${commandOf(only('CMD')).join(' ')}`).toBe(manifest.scripts.start)
  expect(only('STOPSIGNAL').text).toBe('SIGTERM')
  expect(all.map(({ name }) => name)).not.toContain('ENTRYPOINT')
})

test('all stages run one supported Node, and differ in what Debian adds only', () => {
  const images = stages.map((stage) => stage.image)
  const majors = images.map((name) => Number(/^node:(\d+)-bookworm(-slim)?$/.exec(name)?.[1]))
  expect(new Set(majors).size).toBe(1)
  // With SQLite's driver of today, 24 is one compiler run away from aborts: docs/decisions/0005.
  expect(majors[0]).toBe(22)
  expect(images.at(-1)).toMatch(/-slim$/)
})

test('the image does not run as root, and keeps its data in a volume of its user', () => {
  expect(only('USER').text).toBe('node')
  const { MORAINE_HOME: home } = Object.fromEntries(
    image.instructions
      .filter(({ name }) => {
        return name === 'ENV'
      })
      .flatMap(variablesOf),
  )
  expect(only('VOLUME').text).toBe(home)
  const data = image.instructions.find((instruction) => {
    return instruction.name === 'COPY' && copyOf(instruction).destination === home
  })
  expect(data?.flags.get('chown')).toBe('node:node')
})

test('its health is asked without tools that the image lacks', () => {
  const [program, flag, script] = commandOf(only('HEALTHCHECK'))
  expect([program, flag]).toEqual(['node', '-e'])
  expect(script).toContain('/ready')
})

test("README's line builds it, and publishes it to this machine only", () => {
  const [, published] = /docker run .*-p (\S+) /.exec(read('README.md')) ?? []
  expect(published).toBe(`127.0.0.1:${only('EXPOSE').text}:${only('EXPOSE').text}`)
})

describe('the parser', () => {
  test('joins lines, drops comments, and keeps flags apart', () => {
    const [stage] = parseDockerfile(
      'FROM node:24 AS build\n# why\nCOPY --from=a --chown=b:b x y ./\n' +
        'RUN one && \\\n  # inside\n  two\n',
    )
    expect(stage).toEqual({
      image: 'node:24',
      name: 'build',
      instructions: [
        {
          name: 'COPY',
          flags: new Map([
            ['from', 'a'],
            ['chown', 'b:b'],
          ]),
          text: 'x y ./',
        },
        { name: 'RUN', flags: new Map(), text: 'one && two' },
      ],
    })
  })

  test('refuses an instruction before FROM, and a shell form that would hide signals', () => {
    expect(() => parseDockerfile('RUN a')).toThrow('before FROM')
    const shell: Instruction = { name: 'CMD', flags: new Map(), text: 'node main.js' }
    expect(() => commandOf(shell)).toThrow()
    expect(() => commandOf({ ...shell, text: '"node main.js"' })).toThrow('exec form')
  })

  test.each([
    ['*\n!src', 'src/a/b.ts', false],
    ['*\n!src', 'other', true],
    ['*\n!src\nsrc/secret', 'src/secret/key', true],
    ['**/*.log', 'a/b/c.log', true],
    ['# a\n\n*.log', 'a.logs', false],
    ['*.log', 'a/b.log', false],
  ])('of %j, %s is ignored: %j', (lines, path, expected) => {
    expect(isIgnored(lines, path)).toBe(expected)
  })
})
