import { readFileSync } from 'node:fs'
import { listPages } from './pages.ts'

const ROOT = new URL('../../', import.meta.url)
/** Options that write the body into a file, by their letters or names. */
const INTO_FILE = / (?:-\w*[oOC]\w*|--(?:output|remote-name|continue-at)\b)/
const FAILS = / (?:-\w*f\w*|--fail(?:-with-body)?)\b/
/** That option writes the refusal, too. */
const WITH_BODY = /--fail-with-body/

/** Each command of curl, up to the end of its line, of its code span or of the command. */
function curlsIn(page: string): string[] {
  const text = readFileSync(new URL(page, ROOT), 'utf8').replaceAll(/\\\n\s*/g, ' ')
  return text.match(/\bcurl [^\n`|;]*/g) ?? []
}

test('a curl that writes or resumes a file has -f: no refusal gets into the file', () => {
  const all = [...listPages(), 'openapi.yaml'].flatMap((page) =>
    curlsIn(page).map((command) => ({ page, command })),
  )
  const writing = all.filter(
    ({ command }) => INTO_FILE.test(command) && !command.includes('/dev/null'),
  )
  expect(writing.filter(({ command }) => / -\w*C -/.test(command)).length).toBeGreaterThan(1)
  const gluing = writing.filter(({ command }) => !FAILS.test(command) || WITH_BODY.test(command))
  expect(gluing).toEqual([])
})
