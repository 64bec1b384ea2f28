import { readdirSync, readFileSync } from 'node:fs'

const ROOT = new URL('../../', import.meta.url)

/** A fenced block of a page. */
export interface Block {
  readonly page: string
  /** The number of its first line in the page. */
  readonly line: number
  /** Empty if the fence has none. */
  readonly language: string
  readonly text: string
}

/** The pages for people, in the order in which their blocks are run. */
export function listPages(): readonly string[] {
  const inFolder = (folder: string) =>
    readdirSync(new URL(folder, ROOT))
      .filter((name) => name.endsWith('.md'))
      .sort()
      .map((name) => folder + name)
  return ['README.md', 'CONTRIBUTING.md', ...inFolder('docs/'), ...inFolder('docs/decisions/')]
}

export function blocksOf(page: string): readonly Block[] {
  const lines = readFileSync(new URL(page, ROOT), 'utf8').split('\n')
  const blocks: Block[] = []
  let opened: { readonly line: number; readonly language: string } | undefined
  for (const [index, text] of lines.entries()) {
    if (!text.startsWith('```')) continue
    if (opened === undefined) opened = { line: index + 2, language: text.slice(3).trim() }
    else {
      blocks.push({ page, ...opened, text: lines.slice(opened.line - 1, index).join('\n') })
      opened = undefined
    }
  }
  if (opened !== undefined) throw new Error(`${page} has a block without an end`)
  return blocks
}

/** Shown, not run: drawings, and what a command printed. */
export const SHOWN = ['text', 'json']
export const RUN = ['sh', 'python']

/** Shell blocks that cannot be run by a test, by page and first line, and why. */
export const NOT_RUN: Readonly<Record<string, string>> = {
  'README.md: make demo     # 3,000,000 real flights month by month; shows every request it makes':
    'test/docs/demo.storm.test.ts runs the demo and its stop; make test is what runs this',
  'README.md: make stop': 'builds and stays: the test starts the service in its own process',
  'README.md: docker build -t moraine .': 'needs Docker; the image suite of interop does its steps',
  'CONTRIBUTING.md: npm ci': 'installs packages, and runs all tests',
  'docs/access.md: node dist/main.js create-admin-key':
    'prints a secret; test/commands/command-line.test.ts runs it on the built service',
  'docs/interop.md: npx tsx interop/run.ts rck                  # one suite':
    'downloads and runs other people’s clients: make interop does',
  'docs/performance.md: npm run bench                  # everything; ends with one table':
    'takes twenty minutes',
}

/** As a key of `NOT_RUN`. */
export function keyOf({ page, text }: Block): string {
  return `${page}: ${text.split('\n')[0]}`
}
