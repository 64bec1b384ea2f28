import { spawnSync } from 'node:child_process'

/** The oldest curl that knows `--json`. */
const CURL_OLDEST = [7, 82] as const

/** Runs the command as it is printed, prints what it prints, and returns that. */
export function run(command: string): string {
  console.log(`$ ${command}`)
  const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', command], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (stdout !== '') console.log(stdout.trimEnd().replaceAll(/^/gm, '   '))
  if (status !== 0) throw new Error(`the demo stops, since this command failed: ${stderr}`)
  return stdout.trim()
}

/** A POST of JSON, as a command. */
export function post(url: string, body: object): string {
  return `curl -fsS '${url}' --json '${JSON.stringify(body)}'`
}

export function say(text: string): void {
  console.log(`\n# ${text}`)
}

/** Throws, with what to install, if the commands of the demo cannot run here. */
export function requireTools(): void {
  for (const tool of ['bash', 'jq', 'curl', 'sha256sum']) {
    if (spawnSync(tool, ['--version']).status !== 0) {
      throw new Error(`the demo needs ${tool}, which is not installed`)
    }
  }
  const version = spawnSync('curl', ['--version'], { encoding: 'utf8' }).stdout
  const [, major = 0, minor = 0] = /^curl (\d+)\.(\d+)/.exec(version)?.map(Number) ?? []
  const [oldestMajor, oldestMinor] = CURL_OLDEST
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return
  throw new Error(`the demo needs curl ${CURL_OLDEST.join('.')} or newer, for its option --json`)
}
