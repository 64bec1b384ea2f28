import { basename, dirname } from 'node:path'
import { folderCycles, importsOf } from './tidy/folder-cycles.ts'
import { projectFiles, read } from './tidy/project-files.ts'

const COLUMNS_MAX = 100
const LINES_MAX = 400
const FILES_PER_FOLDER_MAX = 20

const files = projectFiles()
const sources = files.filter((path) => /^src\/.*\.ts$/.test(path))
const code = files.filter((path) => /^(src|test|bench|scripts|interop)\/.*\.ts$/.test(path))
const documents = files.filter((path) => path.endsWith('.md'))
const texts = new Map(code.map((path) => [path, read(path)]))

/** Each line that matches, as `path:line`. */
function linesThat(matches: (line: string) => boolean, paths = code): readonly string[] {
  return paths.flatMap((path) =>
    (texts.get(path) ?? read(path))
      .split('\n')
      .flatMap((line, index) => (matches(line) ? [`${path}:${index + 1}`] : [])),
  )
}

function groups(paths: readonly string[], keyOf: (path: string) => string) {
  const found = new Map<string, string[]>()
  for (const path of paths) found.set(keyOf(path), [...(found.get(keyOf(path)) ?? []), path])
  return [...found]
}

test('the project is found', () => {
  expect(sources.length).toBeGreaterThan(300)
  expect(code.length).toBeGreaterThan(sources.length + 100)
  expect(documents.length).toBeGreaterThan(10)
  expect(files.some((path) => /(^|\/)(node_modules|dist|\.git)\//.test(path))).toBe(false)
  // Only the one at the root is followed: a folder with its own would bring in what it installs.
  expect(files.filter((path) => basename(path) === '.gitignore')).toEqual(['.gitignore'])
})

test('the root has the known folders, and none that a run has left', () => {
  const folders = new Set(files.flatMap((path) => (path.includes('/') ? path.split('/')[0] : [])))
  const known = ['.ci', 'bench', 'docs', 'interop', 'schemas', 'scripts', 'src', 'test']
  expect([...folders].sort()).toEqual(known)
})

test('no pause outlasts a stop: each has a signal, or is short', () => {
  const isCall = (line: string) => /(?:\bsleep|\.sleep|#sleep)\(/.test(line)
  const isStopped = (line: string) => /signal|until\b/.test(line)
  // Shares of a batch's time, races of a change, turns: milliseconds, within what a request takes.
  const short = /^src\/(?:lake\/commit|catalog\/sql(?:ite|\/engine))\//
  const pauses = linesThat((line) => isCall(line) && !isStopped(line), sources)
  // How long a reply waits for bytes, which nothing waits for.
  const ofReply = linesThat(
    (line) => line.includes('sleep(waitMs)'),
    ['src/modules/dumps/http/open-bytes.ts'],
  )
  expect(pauses.filter((path) => !short.test(path))).toEqual(ofReply)
})

test('messages spell commands of this program in one place', () => {
  const commands = 'backup|create-admin-key|rebuild|restore|serve|--'
  const spelled = new RegExp(`(?:moraine|dist/main\\.js|npm start --) (?:${commands})`)
  const isComment = /^\s*(?:\/?\*|\/\/)/
  const told = linesThat((line) => spelled.test(line) && !isComment.test(line), sources)
  expect(told).toEqual([])
})

describe('folders', () => {
  test('no two files of src have the same name', () => {
    const twins = groups(sources, (path) => basename(path)).filter(([, paths]) => paths.length > 1)
    expect(twins).toEqual([])
  })

  test('no folder holds more than twenty files', () => {
    const wide = groups(sources, dirname).filter(([, paths]) => paths.length > FILES_PER_FOLDER_MAX)
    expect(wide).toEqual([])
  })

  test('no folders of src import each other', () => {
    const imports = importsOf(new Map([...texts].filter(([path]) => path.startsWith('src/'))))
    expect([...imports.values()].flat().filter((path) => !texts.has(path))).toEqual([])
    expect(folderCycles(imports, 'src')).toEqual([])
  })

  test('a cycle of folders is found over several steps, and into a folder within', () => {
    const imports = new Map([
      ['src/main.ts', ['src/a/one.ts']],
      ['src/a/one.ts', ['src/b/two.ts', 'src/a/other.ts']],
      ['src/b/two.ts', ['src/b/c/three.ts']],
      ['src/b/c/three.ts', ['src/a/other.ts']],
      ['src/a/other.ts', []],
      ['src/d/four.ts', ['src/a/one.ts']],
    ])
    expect(folderCycles(imports, 'src')).toEqual([['src/a', 'src/b', 'src/b/c']])
  })

  test('no folder is named for what it is not about, and no file gathers others', () => {
    const vague = /(^|\/)(utils?|helpers?|common|types|interfaces|managers?)\//
    expect(code.filter((path) => vague.test(path))).toEqual([])
    expect(code.filter((path) => basename(path) === 'index.ts')).toEqual([])
  })
})

describe('text', () => {
  test('lines have at most a hundred columns, comments and strings too', () => {
    // A path cannot be broken.
    const isImport = /^(import|\} from) [^,]*'$/
    const long = linesThat((line) => line.length > COLUMNS_MAX && !isImport.test(line))
    expect(long).toEqual([])
  })

  test('no file of code has more than four hundred lines', () => {
    const long = [...texts].filter(([, text]) => text.trimEnd().split('\n').length > LINES_MAX)
    expect(long.map(([path]) => path)).toEqual([])
  })

  test('a doc comment begins with a sentence that stands alone', () => {
    const first = [...texts].flatMap(([path, text]) =>
      [...text.matchAll(/\/\*\*\s+(\* )?Of\b/g)].map(() => path),
    )
    expect(first).toEqual([])
  })

  test('what a class keeps to itself begins with #', () => {
    // A constructor cannot.
    const isPrivate = (line: string) => /^\s+(private|protected) (?!constructor\b)/.test(line)
    expect(linesThat(isPrivate)).toEqual([])
    expect(linesThat((line) => /[(,]\s*(private|protected) (readonly )?\w/.test(line))).toEqual([])
  })

  test('signals are linked by what leaves nothing behind', () => {
    // In Node 20 and 22 each leaves some memory with a source that lives on: core/linked-stop.ts.
    const leaky = ['AbortSignal', 'any('].join('.')
    const lines = linesThat((line) => line.includes(leaky) && !line.trim().startsWith('*'))
    expect(lines.filter((line) => line.startsWith('src/'))).toEqual([])
  })

  test('what a test asserts to be fast is work or order, not time on the clock', () => {
    // Others have the processors, too: `test/cpu-time.ts` counts what this process takes of them.
    const clocked = /expect\(.*\b(performance|Date)\.now\(\).*\.toBeLess|toBeLess.*performance\.now/
    const lines = linesThat((line) => clocked.test(line))
    const allowed = 'test/catalog/clock/computer-clock.test.ts'
    expect(lines.filter((line) => !line.startsWith(allowed))).toEqual([])
  })

  test('what is left to do has an issue', () => {
    const orphan = /\b(T[O]DO(?!\(#\d+\): )|FIX[M]E\b|XX[X]\b)/
    expect(linesThat((line) => orphan.test(line), [...code, ...documents])).toEqual([])
  })

  test('a document has one title', () => {
    const titles = documents.map((path) => {
      const prose = read(path).replaceAll(/^```[\s\S]*?^```/gm, '')
      return [path, prose.match(/^# \S/gm)?.length ?? 0]
    })
    expect(titles.filter(([, count]) => count !== 1)).toEqual([])
  })

  test('links of documents lead to files', () => {
    const broken = documents.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
        .map(([, target = '']) => new URL(target, `file:///${path}`).pathname.slice(1))
        .filter((target) => !files.some((file) => file === target || file.startsWith(target)))
        .map((target) => `${path}: ${target}`),
    )
    expect(broken).toEqual([])
  })
})

describe('what is shipped', () => {
  test('every runtime dependency says in docs/decisions/0005 what it replaces', () => {
    const { dependencies } = JSON.parse(read('package.json'))
    const rows = read('docs/decisions/0005-dependencies.md').match(/^\| (?!package|-).*/gm) ?? []
    const named = rows.flatMap((row) => (row.split('|')[1] ?? '').split(',').map(packageName))
    expect(named.sort()).toEqual(Object.keys(dependencies).sort())
  })

  test('package-lock.json names no registry', () => {
    expect(read('package-lock.json')).not.toContain('"resolved"')
  })

  test('no file knows the machine it was written on', () => {
    const home = /(?<![\w.-])\/(work|root|home\/(?!node\b)\w+|Users|tmp\/\w+\.\w{6,})\//
    const texty = files.filter((path) => !/\.(avro|parquet|bin|gz|zst|png|puffin|orc)$/.test(path))
    expect(linesThat((line) => home.test(line), texty)).toEqual([])
  })
})

/** `better-sqlite3 12` is better-sqlite3. */
function packageName(cell: string): string {
  return cell.trim().split(' ')[0] ?? ''
}
