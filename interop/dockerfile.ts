/** The part of the Dockerfile language that ours uses: enough to check it and to carry it out. */
export interface Instruction {
  readonly name: string
  /** `--from=build` is `['from', 'build']`. */
  readonly flags: ReadonlyMap<string, string>
  /** Without flags. */
  readonly text: string
}

export interface Stage {
  readonly image: string
  readonly name: string | undefined
  readonly instructions: readonly Instruction[]
}

export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
  const stages: { image: string; name: string | undefined; instructions: Instruction[] }[] = []
  for (const instruction of lines.map(parseInstruction)) {
    if (instruction.name === 'FROM') {
      const [image = '', , name] = instruction.text.split(/\s+/)
      stages.push({ image, name, instructions: [] })
    } else {
      const stage = stages.at(-1)
      if (stage === undefined) throw new Error(`${instruction.name} stands before FROM`)
      stage.instructions.push(instruction)
    }
  }
  return stages
}

function parseInstruction(line: string): Instruction {
  const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? []
  const [, flags = '', text = ''] = /^((?:--\S+\s+)*)(.*)$/.exec(rest) ?? []
  return {
    name,
    flags: new Map(
      [...flags.matchAll(/--([^=\s]+)=(\S+)/g)].map(([, flag = '', value = '']) => [flag, value]),
    ),
    text,
  }
}

/** The exec form: `["node", "main.js"]`, optionally after `CMD` as in HEALTHCHECK. */
export function commandOf({ name, text }: Instruction): string[] {
  const command: unknown = JSON.parse(text.replace(/^CMD\s+/, ''))
  if (Array.isArray(command) && command.every((word) => typeof word === 'string')) return command
  throw new Error(`${name} is not in the exec form: ${text}`)
}

/** `A=1 B=2`, as in ENV; none of our values contains a space. */
export function variablesOf({ text }: Instruction): [string, string][] {
  return text.split(/\s+/).map((pair) => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
}

/** Sources and destination of a COPY. */
export function copyOf({ text }: Instruction): { sources: string[]; destination: string } {
  const words = text.split(/\s+/)
  return { sources: words.slice(0, -1), destination: words.at(-1) ?? '' }
}

/** Whether `.dockerignore` hides a path from the engine: the last line that matches decides. */
export function isIgnored(dockerignore: string, path: string): boolean {
  const parents = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))
  let ignored = false
  for (const line of dockerignore.split('\n').map((raw) => raw.trim())) {
    if (line === '' || line.startsWith('#')) continue
    const pattern = toRegExp(line.replace(/^!/, ''))
    if (parents.some((parent) => pattern.test(parent))) ignored = !line.startsWith('!')
  }
  return ignored
}

function toRegExp(pattern: string): RegExp {
  const parts = pattern.split('**').map((part) => {
    return part
      .replaceAll(/[.+^$(){}|\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')
  })
  return new RegExp(`^${parts.join('.*')}$`)
}
