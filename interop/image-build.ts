import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, posix } from 'node:path'
import { mustRun } from './command.ts'
import {
  commandOf,
  copyOf,
  type Instruction,
  isIgnored,
  parseDockerfile,
  type Stage,
  variablesOf,
} from './dockerfile.ts'
import { installNode, type NodeVersion } from './node-version.ts'
import { RESULTS, ROOT } from './places.ts'

const STEP_TIMEOUT_MS = 10 * 60 * 1000

/** The image that an engine would have made, as a folder. */
export interface BuiltImage {
  /** Stands for `/`. */
  readonly root: string
  /** Path in the image, such as `/app`. */
  readonly workingFolder: string
  readonly environment: Readonly<Record<string, string>>
  readonly user: string
  readonly volumes: readonly string[]
  readonly command: readonly string[]
  readonly healthCommand: readonly string[]
  readonly stopSignal: string
  remove(): void
}

interface Place {
  readonly root: string
  workingFolder: string
  environment: Record<string, string>
}

export async function buildImage(dockerfile: string): Promise<BuiltImage> {
  const all = mkdtempSync(join(tmpdir(), 'moraine-image-'))
  chmodSync(all, 0o755) // the service's user has to pass through
  const remove = () => rmSync(all, { recursive: true, force: true })
  try {
    const places = new Map<string, Place>()
    const stages = parseDockerfile(dockerfile)
    for (const [index, stage] of stages.entries()) {
      const key = stage.name ?? String(index)
      const place = { root: join(all, key), workingFolder: '/', environment: {} }
      places.set(key, place)
      await buildStage(stage, place, places)
    }
    const last = stages.at(-1)
    const place = [...places.values()].at(-1)
    if (last === undefined || place === undefined) throw new Error('no stage')
    return { ...describe(last, place), remove }
  } catch (error) {
    remove()
    throw error
  }
}

function describe({ instructions }: Stage, place: Place): Omit<BuiltImage, 'remove'> {
  const last = (name: string): Instruction => {
    const found = instructions.findLast((instruction) => instruction.name === name)
    if (found === undefined) throw new Error(`the last stage has no ${name}`)
    return found
  }
  return {
    ...place,
    user: last('USER').text,
    volumes: instructions.filter(({ name }) => name === 'VOLUME').map(({ text }) => text),
    command: commandOf(last('CMD')),
    healthCommand: commandOf(last('HEALTHCHECK')),
    stopSignal: last('STOPSIGNAL').text,
  }
}

async function buildStage(stage: Stage, place: Place, places: Map<string, Place>): Promise<void> {
  const [, major] = /^node:(\d+)\b/.exec(stage.image) ?? []
  if (major === undefined) throw new Error(`not an image of Node: ${stage.image}`)
  const node = await installNode(Number(major))
  mkdirSync(join(place.root, 'usr/local/bin'), { recursive: true })
  cpSync(node.program, join(place.root, 'usr/local/bin/node'))
  for (const [index, instruction] of stage.instructions.entries()) {
    if (instruction.name === 'WORKDIR') {
      place.workingFolder = posix.resolve(place.workingFolder, instruction.text)
      mkdirSync(join(place.root, place.workingFolder), { recursive: true })
    }
    if (instruction.name === 'ENV') {
      place.environment = { ...place.environment, ...Object.fromEntries(variablesOf(instruction)) }
    }
    if (instruction.name === 'COPY') copy(instruction, place, places)
    if (instruction.name === 'RUN') {
      await run(instruction.text, {
        place,
        node,
        log: `image-${basename(place.root)}-${index}.log`,
      })
    }
  }
}

function copy(instruction: Instruction, place: Place, places: Map<string, Place>): void {
  const { sources, destination } = copyOf(instruction)
  const target = join(place.root, posix.resolve(place.workingFolder, destination))
  const from = instruction.flags.get('from')
  const origin = from === undefined ? ROOT : places.get(from)?.root
  if (origin === undefined) throw new Error(`COPY from ${from}, which is no stage`)
  const ignore = from === undefined ? readFileSync(join(ROOT, '.dockerignore'), 'utf8') : ''
  for (const source of sources) {
    if (!existsSync(join(origin, source)) || isIgnored(ignore, source)) {
      throw new Error(`COPY ${source}: the engine would not find it`)
    }
    // The contents of a folder go into the destination; a file goes into it when it ends with a
    // slash.
    const into = destination.endsWith('/') ? join(target, basename(source)) : target
    cpSync(join(origin, source), into, { recursive: true, verbatimSymlinks: true })
  }
}

/** Commands of RUN stay in the working folder: an absolute path would belong to the machine. */
async function run(
  text: string,
  step: { readonly place: Place; readonly node: NodeVersion; readonly log: string },
): Promise<void> {
  await mustRun(`RUN ${text}`, {
    program: 'sh',
    args: ['-c', text],
    cwd: join(step.place.root, step.place.workingFolder),
    log: join(RESULTS, step.log),
    timeoutMs: STEP_TIMEOUT_MS,
    environment: { ...step.node.environment, ...step.place.environment },
  })
}
