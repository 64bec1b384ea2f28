import { CatalogError } from '../errors.ts'
import { nameKey } from './name-key.ts'

const DATASETS = 'moraine$datasets'
/** Index of the digit of a UUID that tells its version. */
const VERSION_AT = 14
const HIDDEN_NAME = /^(.+)_v([1-9]\d{0,8})$/i

/**
 * Where the hidden tables of datasets are: found by name, in no list, and never changed. Nobody can
 * make it: a name of `/v1` has no dollar, and `refuseReserved` refuses it to everybody else.
 */
export const DATASETS_NAMESPACE: readonly string[] = [DATASETS]

/** Whether it is the namespace of datasets, or one below it. */
export function isReserved([first = '']: readonly string[]): boolean {
  return nameKey(first) === DATASETS
}

/** Throws `dataset-immutable` for what would change something there. */
export function refuseReserved(namespace: readonly string[]): void {
  if (!isReserved(namespace)) return
  throw new CatalogError(
    'dataset-immutable',
    `${DATASETS} has the tables of datasets, which nobody changes: make a dataset with ` +
      'POST /v1/datasets, and end one with DELETE /v1/datasets/{dataset}',
    { facts: { namespace } },
  )
}

/** UUIDs of hidden tables are of version 8, so that few others must be looked up. */
export function hiddenUuidOf(uuid: string): string {
  return `${uuid.slice(0, VERSION_AT)}8${uuid.slice(VERSION_AT + 1)}`
}

export function mayBeHiddenUuid(uuid: string): boolean {
  return uuid[VERSION_AT] === '8'
}

/** The name of the hidden table of a dataset's version: `prices_v2`. */
export function hiddenTableName(name: string, version: number): string {
  return `${name}_v${version}`
}

/** Undoes `hiddenTableName`; `undefined` for what it did not make. */
export function hiddenTableOf(
  hidden: string,
): { readonly name: string; readonly version: number } | undefined {
  const [, name, version] = HIDDEN_NAME.exec(hidden) ?? []
  return name === undefined ? undefined : { name, version: Number(version) }
}
