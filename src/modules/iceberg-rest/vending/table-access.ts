import { createHash } from 'node:crypto'
import { withoutSlashes } from '../../../core/metadata/location.ts'
import { foldersOf } from '../../../core/table/metadata-folder.ts'
import type { TableState } from '../../../core/table/table.ts'
import type { EngineSettings, FolderRight, ObjectVending } from '../../../objects/object-vending.ts'

/** What a caller may be lent for the files of a table. */
export interface LentAccess {
  readonly right: FolderRight
  /** Whether it may read and change every table, and so may have keys to the whole warehouse. */
  readonly holdsAll: boolean
}

/** What a client asks for besides the metadata. */
export interface AskedAccess extends LentAccess {
  readonly wantsCredentials: boolean
  /** Whether it can have its requests to the store signed. */
  readonly wantsSigning: boolean
}

/** A `StorageCredential` of the Iceberg REST specification. */
export interface StorageCredential {
  readonly prefix: string
  readonly config: EngineSettings
}

/** What a client is told so that it gets at the files of a table. */
export interface TableAccess {
  readonly config: EngineSettings
  /** Secrets, which are also in `config` for clients that look only there. */
  readonly credentials?: readonly StorageCredential[]
}

export interface AccessDependencies {
  readonly vending: ObjectVending
}

export const ASKS_NOTHING: AskedAccess = {
  ...{ wantsCredentials: false, wantsSigning: false, right: 'read', holdsAll: false },
}
const TAG_LENGTH = 8

/** Asks the issuer of credentials only if the client does, and seldom then. */
export async function accessTo(
  { vending }: AccessDependencies,
  state: TableState,
  asked: AskedAccess,
): Promise<TableAccess> {
  const { location } = state.definition
  const plain = vending.settingsOf(location)
  if (asked.wantsCredentials) {
    const credentials = await credentialsOf({ vending }, state, asked)
    const [first] = credentials
    if (first !== undefined) return { config: { ...plain, ...first.config }, credentials }
  }
  if (!asked.wantsSigning) return { config: plain }
  const signing = vending.signingSettingsOf(location, pathOf(state, 'sign'))
  return { config: { ...plain, ...signing } }
}

/** Those of each of the table's folders, which no other table shares. */
export async function credentialsOf(
  { vending }: AccessDependencies,
  state: TableState,
  { right, holdsAll }: LentAccess,
): Promise<readonly StorageCredential[]> {
  const refreshPath = pathOf(state, 'credentials')
  const vended = await Promise.all(
    foldersOf(state.definition).map(async (folder) => {
      const issued = await vending.vend(folder, { right, holdsAll, refreshPath })
      const config = { ...vending.settingsOf(folder), ...issued }
      return issued === undefined ? [] : [{ prefix: `${withoutSlashes(folder)}/`, config }]
    }),
  )
  return vended.flat()
}

/** What distinguishes answers of the same state; empty where a client is told nothing. */
export function accessTag({ config }: TableAccess): string {
  if (Object.keys(config).length === 0) return ''
  const hash = createHash('sha256').update(JSON.stringify(config)).digest('hex')
  return `-${hash.slice(0, TAG_LENGTH)}`
}

/** Relative to the root of the catalog, as clients expect it. */
function pathOf({ namespace, name }: TableState, last: 'credentials' | 'sign'): string {
  const levels = encodeURIComponent(namespace.join('\u001f'))
  return `v1/namespaces/${levels}/tables/${encodeURIComponent(name)}/${last}`
}
