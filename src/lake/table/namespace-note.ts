import { createHash } from 'node:crypto'
import type { Stores } from '../../catalog/catalog.ts'
import type { NamespaceRecord } from '../../catalog/namespace-store.ts'
import { CatalogError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import { nameKey } from '../../core/table/name-key.ts'
import { parseExactJson, stringifyExactJson } from '../../formats/json/exact-json.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { Warehouse } from './table-location.ts'

/** No namespace or table can have this name. */
const FOLDER = '.namespaces'
const NOTE_BYTES_MAX = 64 * 1024 * 1024
/** Others write the same note at the same time: the last one that looks makes it right. */
const ATTEMPTS_MAX = 5

export type NoteDependencies = Stores<'namespaces'> &
  Warehouse & {
    readonly objects: Pick<ObjectStore, 'delete' | 'putIfAbsent' | 'read'>
    readonly log: Log
  }

interface Readable {
  readonly objects: Pick<ObjectStore, 'read'>
}

/** Where the notes of namespaces are, for a catalog that is rebuilt from files. */
export function notesFolder({ warehouse }: Warehouse): string {
  return `${warehouse}/${FOLDER}`
}

/** Whether it is the note of a namespace. */
export function isNamespaceNote({ warehouse }: Warehouse, location: string): boolean {
  return location.startsWith(`${notesFolder({ warehouse })}/`)
}

/** Notes a namespace as the catalog has it, or that there is none. A failure is logged. */
export async function noteNamespace(
  deps: NoteDependencies,
  levels: readonly string[],
): Promise<void> {
  const location = `${notesFolder(deps)}/${namespaceKey(levels)}.json`
  await settle(deps, location, async () => {
    const found = await deps.catalog.namespaces.find(levels)
    return found && stringifyExactJson({ levels: found.levels, properties: found.properties })
  })
}

/** The namespace that a note tells of. Throws `metadata-corrupt`. */
export async function readNamespaceNote(place: Readable, note: string): Promise<NamespaceRecord> {
  const { levels, properties = {} } = await readNote(place, note)
  const areStrings = Object.values(Object(properties)).every((value) => typeof value === 'string')
  if (!isStrings(levels) || levels.length === 0 || !areStrings) throw noNote(note)
  return { levels, properties: properties as NamespaceRecord['properties'] }
}

/** Makes a note say what the catalog says, whoever changes either meanwhile. */
async function settle(
  { objects, log }: NoteDependencies,
  location: string,
  wanted: () => Promise<string | undefined>,
): Promise<void> {
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const text = await wanted()
      const present = await textAt(objects, location)
      if (present === text) return
      if (present !== undefined) await objects.delete(location)
      if (text !== undefined) await objects.putIfAbsent(location, new TextEncoder().encode(text))
    }
    log.warn({ location }, 'a note for rebuilds kept changing; the hourly task writes it')
  } catch (err) {
    log.warn({ err, location }, 'a note for rebuilds could not be written; the hourly task will')
  }
}

async function textAt(
  objects: NoteDependencies['objects'],
  location: string,
): Promise<string | undefined> {
  try {
    const bytes = await objects.read(location, { bytesMax: NOTE_BYTES_MAX })
    return new TextDecoder().decode(bytes)
  } catch (error) {
    if (error instanceof CatalogError && error.code === 'file-not-found') return undefined
    throw error
  }
}

async function readNote({ objects }: Readable, note: string): Promise<Record<string, unknown>> {
  const bytes = await objects.read(note, { bytesMax: NOTE_BYTES_MAX })
  let json: unknown
  try {
    json = parseExactJson(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new CatalogError('metadata-corrupt', 'the note is not JSON', { cause })
  }
  if (typeof json === 'object' && json !== null) return json as Record<string, unknown>
  throw noNote(note)
}

function noNote(note: string): CatalogError {
  return new CatalogError('metadata-corrupt', `${note} is no note of a namespace`)
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

/** The same for names that differ in case only, as the catalog compares them. */
function namespaceKey(levels: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify(levels.map(nameKey)))
    .digest('hex')
}
