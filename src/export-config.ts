import { resolve } from 'node:path'
import { z } from 'zod'
import type { Read } from './config-values.ts'

/** Where exports are described, and the databases they are of. */
export interface ExportConfig {
  /** Absolute path of the folder of tasks. */
  readonly exportsFolder: string
  /** `postgres://` URLs by name. */
  readonly exportSources: ReadonlyMap<string, string>
  /** Absolute path of the folder that files are archived to; to the warehouse without. */
  readonly exportPath: string | undefined
}

/** Only before the name of the next source: passwords may have commas. */
const BETWEEN_SOURCES = /,\s*(?=[A-Za-z0-9_-]+=postgres(?:ql)?:\/\/)/
const SOURCE = /^([A-Za-z0-9_-]{1,100})=(postgres(?:ql)?:\/\/[^/].*)$/
/** Tasks whose source it is read tables of this service (docs/exports.md). */
const OWN_TABLES = 'moraine'
const POSTGRES_URL = /^postgres(?:ql)?:\/\/[^/]/

const Sources = z.string().transform((text, context) => {
  const sources = new Map<string, string>()
  for (const part of text.split(BETWEEN_SOURCES).filter((each) => each.trim() !== '')) {
    const [, name, url] = SOURCE.exec(part.trim()) ?? []
    const isTaken = name === OWN_TABLES || sources.has(name ?? '')
    if (!name || !url || !URL.canParse(url) || isTaken) {
      context.addIssue('not a source, one twice, or our own')
      return z.NEVER
    }
    sources.set(name, url)
  }
  return sources
})

const ArchiveFolder = z
  .string()
  .refine((text) => !/^(?!file:\/\/\/)[a-z][a-z0-9]*:/.test(text))
  .transform((text) => (text === '' ? undefined : resolve(text.replace(/^file:\/\//, ''))))

/**
 * An older service's variables stand for ours where these are not set: `DSL_PATH` for the folder,
 * `DATABASE_URL` for the source of tasks that name none. `EXPORT_PATH` is its own.
 */
export function readExports(
  read: Read,
  home: string,
  environment: Readonly<Record<string, string | undefined>>,
): ExportConfig {
  const sources = read(
    'MORAINE_EXPORT_SOURCES',
    '',
    'names and addresses like crm=postgres://user@host/database, separated by commas, each name ' +
      'once, and not moraine, which is our own tables',
    Sources,
  )
  const url = environment['DATABASE_URL'] ?? ''
  const exportPath = read(
    'EXPORT_PATH',
    '',
    'a folder on this machine like /srv/archive; archives go to a bucket with the warehouse',
    ArchiveFolder,
  )
  const isGiven = sources.size === 0 && POSTGRES_URL.test(url) && URL.canParse(url)
  return {
    exportsFolder: resolve(
      environment['MORAINE_EXPORTS'] || environment['DSL_PATH'] || `${home}/exports`,
    ),
    exportPath,
    exportSources: isGiven ? new Map([['default', url]]) : sources,
  }
}
