import { readFileSync } from 'node:fs'
import { blocksOf } from './pages.ts'

/** Whoever has what the README asks for can run what is in it. */

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const [, asked = ''] = /^You need (.*?)\n\n/ms.exec(README) ?? []
const SHELL = new Set(['cd', 'echo', 'export', 'printf', 'set', 'test'])
/** What only a part of the README needs, which names it in its heading line. */
const OPTIONAL: Readonly<Record<string, string>> = { docker: 'Or with Docker:' }

/** The first word of each command. */
function commandsOf(script: string): string[] {
  const plain = script
    .replaceAll(/\\\n\s*/g, ' ')
    .replaceAll(/(^|\s)#.*$/gm, '$1')
    .replaceAll(/'[^']*'/g, 'TEXT')
  return plain.split(/\n|\|\|?|&&|;|\$\(/).flatMap((command) => {
    const words = command.trim().split(/\s+/)
    return words.find((word) => word !== '' && !/^\w+=/.test(word)) ?? []
  })
}

const isAsked = (command: string) =>
  new RegExp(`(^|[\\s\`])${command}([\\s\`,.]|$)`, 'i').test(asked.replace('Python 3', 'python3'))

test('every command of the README is one that it asks for, or one of the shell', () => {
  const commands = blocksOf('README.md')
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => commandsOf(text))
  expect(commands).toEqual(expect.arrayContaining(['curl', 'jq', 'make', 'npm', 'sha256sum']))
  const unknown = commands.filter((command) => {
    const heading = OPTIONAL[command]
    const isOptional = heading !== undefined && README.includes(`\n${heading}\n`)
    return !SHELL.has(command) && !isOptional && !isAsked(command)
  })
  expect([...new Set(unknown)]).toEqual([])
})

test('so is every command that the demo runs', () => {
  const scripts = ['demo.ts', 'demo-dump.ts', 'demo-shell.ts']
    .map((name) => readFileSync(new URL(`../../scripts/${name}`, import.meta.url), 'utf8'))
    .join('\n')
  const [, required = ''] = /for \(const tool of \[(.*?)\]/.exec(scripts) ?? []
  const tools = required.replaceAll("'", '').split(', ')
  expect(tools).toEqual(expect.arrayContaining(['bash', 'curl', 'jq', 'sha256sum']))
  const piped = [...scripts.matchAll(/(?:\||['"}] &&) ([a-z]\w*) /g)].map(
    ([, command = '']) => command,
  )
  expect(piped).toEqual(expect.arrayContaining(['jq', 'sed', 'wc']))
  expect([...tools, ...piped].filter((command) => !isAsked(command))).toEqual([])
})
