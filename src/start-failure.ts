import { access, constants, mkdir, realpath, stat } from 'node:fs/promises'
import { dirname, relative } from 'node:path'
import { type Config, ConfigError, localPathOf, shown } from './config.ts'
import { CatalogDamagedError, CatalogUnusableError } from './core/catalog-unusable-error.ts'
import { CatalogError } from './core/errors.ts'
import { ownCommand } from './core/own-command.ts'
import type { WarehouseFault } from './lake/table/warehouse-claim.ts'

/** The cause of a failure, and what to do about it. */
type Advice = readonly [cause: string, remedy: string]

interface Setting {
  readonly name: string
  readonly value: string
}

const FOLDER_ADVICE: Readonly<Record<string, Advice>> = {
  EACCES: ['this user may not write there', 'give a folder that it may write'],
  EPERM: ['this user may not write there', 'give a folder that it may write'],
  EROFS: ['its file system is read-only', 'give a folder on another one'],
  EEXIST: ['a file has that name', 'give a folder'],
  ENOTDIR: ['part of the path is a file', 'give a folder'],
  ENOENT: ['no folder can be created there', 'give a folder that exists or can be created'],
  ENOSPC: ['the disk is full', 'free some space or give a folder on another disk'],
  ENAMETOOLONG: ['the path is too long', 'give a shorter one'],
}

const HOST_REMEDY = 'give an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all'

const PORT_ADVICE: Readonly<Record<string, Advice>> = {
  EADDRINUSE: [
    'another process already listens there',
    'stop it or give another port (0 picks any free one)',
  ],
  EACCES: ['this user may not listen on it', 'give a port from 1024 on'],
}

const HOST_ADVICE: Readonly<Record<string, Advice>> = {
  EADDRNOTAVAIL: ['this machine has no such address', HOST_REMEDY],
  EAFNOSUPPORT: ['this machine has no addresses of that kind', HOST_REMEDY],
  EINVAL: ['it is not an address to listen on', HOST_REMEDY],
  ENOTFOUND: ['no such host name is known', HOST_REMEDY],
  EAI_AGAIN: ['the name server does not respond', HOST_REMEDY],
}

const SQLITE_ADVICE: Readonly<Record<string, Advice>> = {
  SQLITE_CANTOPEN: ['that file cannot be opened', 'give a file that this user may write'],
  SQLITE_READONLY: ['this user may not write that file', 'give a file that it may write'],
  SQLITE_PERM: ['this user may not write that file', 'give a file that it may write'],
  SQLITE_BUSY: ['another process has locked that file', 'end that process and start again'],
}

const DATABASE_REMEDY = 'check that the database exists, is running and admits this user'

/** Creates the folder if missing. Throws a `ConfigError` if this process cannot write to it. */
export async function makeFolder(config: Config, path: string): Promise<void> {
  try {
    await makeMissing(path)
    await access(path, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw unusable(settingOf(config, path), error, FOLDER_ADVICE[codeOf(error)])
  }
}

/** Creates missing folders. mkdir's `recursive` never ends where it cannot, as below /proc. */
export async function makeMissing(path: string): Promise<void> {
  if (await isFolder(path)) return
  if (dirname(path) !== path) await makeMissing(dirname(path))
  await mkdir(path).catch(async (error: unknown) => {
    // Another process that starts concurrently may have created it.
    if (!(await isFolder(path))) throw error
  })
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() ?? false
}

/** A `ConfigError` for a catalog that cannot be opened, or `error` itself if it is a bug. */
export function catalogUnusable(config: Config, error: unknown): unknown {
  if (error instanceof ConfigError) return error
  const isDamage = error instanceof CatalogError && error.code === 'catalog-damaged'
  const told = isDamage ? new CatalogDamagedError('that database is damaged') : error
  return unusable(catalogSetting(config), told, catalogAdvice(told))
}

/** Whether a start failed because the database is damaged, or no database at all. */
export function isCatalogDamage(error: unknown): boolean {
  return error instanceof ConfigError && error.cause instanceof CatalogDamagedError
}

/** A `ConfigError` for a warehouse that is not the catalog's own. */
export function warehouseUnusable(config: Config, fault: WarehouseFault): unknown {
  const path = localPathOf(config.warehouse)
  const setting = path === undefined ? warehouseSetting(config) : settingOf(config, path)
  return unusable(setting, undefined, warehouseAdvice(config, fault))
}

function warehouseAdvice({ warehouse }: Config, fault: WarehouseFault): Advice {
  switch (fault.outcome) {
    case 'moved':
      return [
        `its warehouse was moved here from ${fault.from}, so the paths in its tables lead nowhere`,
        `move it back, or set MORAINE_RELOCATED=${fault.from}=${warehouse}`,
      ]
    case 'gone':
      return [
        'the catalog has tables, and their warehouse is not in that folder',
        'mount its disk, bring it back, or give the folder that it is in',
      ]
    case 'foreign':
      return [
        'the warehouse in that folder belongs to another catalog',
        'give the folder of this catalog, or the catalog of this folder',
      ]
    case 'catalog-empty':
      return [
        'there are tables in its warehouse, and the catalog has none',
        'give the catalog of these tables, restore it from a backup, or run ' +
          `${ownCommand('rebuild')}; ` +
          `to leave them and begin with none, start with ${ownCommand('serve --adopt-warehouse')}`,
      ]
  }
}

/** A `ConfigError` for a folder outside of the warehouse that is not the catalog's own. */
export function writableLocationUnusable(uri: string, outcome: 'gone' | 'foreign'): unknown {
  return unusable({ name: WRITABLE, value: uri }, undefined, WRITABLE_ADVICE[outcome])
}

/**
 * Throws a `ConfigError` unless tables can be in each of these folders, which must be there: the
 * service would make them where a disk is not mounted. By their real paths, they are apart from
 * each other and from what the service has.
 */
export async function requireWritableLocations(config: Config): Promise<void> {
  const { catalog, temporaryFolder, warehouse, writableLocations } = config
  const ofCatalog = catalog.kind === 'sqlite' ? [catalog.path] : []
  const own = [...localPaths([warehouse]), temporaryFolder, ...ofCatalog]
  const taken = await Promise.all(own.map((path) => realpath(path).catch(() => path)))
  for (const path of localPaths(writableLocations)) {
    const setting = { name: WRITABLE, value: `file://${path}` }
    try {
      if (!(await stat(path)).isDirectory()) throw unusable(setting, undefined, NOT_A_FOLDER)
      await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
    } catch (error) {
      const advice = codeOf(error) === 'ENOENT' ? NOT_THERE : FOLDER_ADVICE[codeOf(error)]
      throw error instanceof ConfigError ? error : unusable(setting, error, advice)
    }
    const real = await realpath(path)
    const other = taken.find((each) => isIn(real, each) || isIn(each, real))
    if (other !== undefined)
      throw unusable(setting, undefined, [`it is, has or is in ${other}`, APART])
    taken.push(real)
  }
}

/**
 * Throws a `ConfigError` if the folder of archives, which need not be there, is one that the
 * service has for other things, or has or is in one.
 */
export async function requireApart(config: Config, path: string): Promise<void> {
  const { catalog, temporaryFolder, warehouse, writableLocations } = config
  const ofCatalog = catalog.kind === 'sqlite' ? [catalog.path] : []
  const taken = [...localPaths([warehouse, ...writableLocations]), temporaryFolder, ...ofCatalog]
  const real = await realpath(path).catch(() => path)
  for (const other of taken) {
    const there = await realpath(other).catch(() => other)
    if (!isIn(real, there) && !isIn(there, real)) continue
    throw unusable({ name: 'EXPORT_PATH', value: path }, undefined, [
      `it is, has or is in ${there}`,
      'give a folder apart from what the service has',
    ])
  }
}

function isIn(inner: string, folder: string): boolean {
  return `${inner}/`.startsWith(`${folder}/`)
}

/** A `ConfigError` for a folder whose store is away or refuses, or `error` itself. */
export function storeUnusable({ name, value }: Setting, error: unknown): unknown {
  const isOfStore = error instanceof CatalogError && error.code.startsWith('storage-')
  if (!isOfStore) return error
  return new ConfigError(`${name}=${shown(value)} cannot be used: ${error.message}`, {
    cause: error,
  })
}

const WRITABLE = 'MORAINE_WRITABLE_LOCATIONS'
const APART = 'give a folder apart from the warehouse, the catalog and the others'
const NOT_A_FOLDER: Advice = ['it is a file', 'give a folder']
const NOT_THERE: Advice = ['no folder is there', 'mount its disk, or make it first']
const WRITABLE_ADVICE = {
  gone: [
    'the catalog has tables in that folder, and its file .moraine-warehouse.json is not there',
    'mount its disk, or bring it back',
  ],
  foreign: [
    'that folder belongs to the catalog of another warehouse',
    'give another one; if that catalog is no more, remove .moraine-warehouse.json from the folder',
  ],
} satisfies Readonly<Record<string, Advice>>

function localPaths(uris: readonly string[]): string[] {
  return uris.map(localPathOf).filter((path) => path !== undefined)
}

/** A `ConfigError` for an address that cannot be listened on. */
export function cannotListen({ host, port }: Config, error: unknown): unknown {
  const code = codeOf(error)
  const portAdvice = PORT_ADVICE[code]
  return portAdvice === undefined
    ? unusable({ name: 'MORAINE_HOST', value: host }, error, HOST_ADVICE[code])
    : unusable({ name: 'MORAINE_PORT', value: String(port) }, error, portAdvice)
}

function unusable(setting: Setting, error: unknown, advice: Advice | undefined): unknown {
  if (advice === undefined) return error
  const [cause, remedy] = advice
  const { name, value } = setting
  return new ConfigError(`${name}=${shown(value)} cannot be used: ${shown(cause)}; ${remedy}`, {
    cause: error,
  })
}

function settingOf(config: Config, path: string): Setting {
  const isIn = (folder: string) => !relative(folder, path).startsWith('..')
  if (isIn(config.home)) return { name: 'MORAINE_HOME', value: config.home }
  const warehouse = localPathOf(config.warehouse)
  return warehouse !== undefined && isIn(warehouse)
    ? warehouseSetting(config)
    : catalogSetting(config)
}

function warehouseSetting({ warehouse }: Config): Setting {
  return { name: 'MORAINE_WAREHOUSE', value: warehouse }
}

function catalogSetting({ catalog }: Config): Setting {
  const value = catalog.kind === 'sqlite' ? `sqlite:${catalog.path}` : catalog.url
  return { name: 'MORAINE_CATALOG', value }
}

function catalogAdvice(error: unknown): Advice | undefined {
  if (error instanceof CatalogUnusableError) return [error.problem, error.remedy]
  const innermost = innermostCause(error)
  const code = codeOf(innermost)
  // SQLite refines its codes behind the second underscore, as in SQLITE_CANTOPEN_ISDIR.
  const known = SQLITE_ADVICE[code.split('_').slice(0, 2).join('_')]
  if (known !== undefined) return known
  const isForeseen = code !== '' || error instanceof CatalogError
  return isForeseen ? [messageOf(innermost), DATABASE_REMEDY] : undefined
}

function innermostCause(error: unknown): unknown {
  let innermost = error
  while (innermost instanceof Error && innermost.cause !== undefined) innermost = innermost.cause
  return innermost
}

/** The error's code. Classes are no help: SQLite's errors have that of whoever loaded it first. */
function codeOf(error: unknown): string {
  const hasCode = typeof error === 'object' && error !== null && 'code' in error
  return hasCode ? String(error.code) : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
