import { inOrder } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import type { AddedFile, DataFile } from '../../core/file/data-file.ts'
import { withRowIdFields } from '../../core/file/row-id-fields.ts'
import { REWRITE_BYTES_MAX } from '../../core/limits.ts'
import { partitionFolder } from '../../core/partition/partition-values.ts'
import { findField } from '../../core/schema/schema-lookup.ts'
import {
  currentSchema,
  getSpec,
  schemaOfSpec,
  type TableDefinition,
  type TableState,
} from '../../core/table/table.ts'
import { formatTableName } from '../../core/table/table-name.ts'
import { isUnknownState } from '../../core/unknown-state.ts'
import { typeName } from '../../core/value/type.ts'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import { schemaToJson } from '../../formats/metadata/schema-json.ts'
import { matchFileSchema } from '../../formats/parquet/schema/schema-match.ts'
import { fileMetricsSteps } from '../../formats/parquet/statistics/file-metrics.ts'
import type { Converter } from '../../lake/convert/converter.ts'
import { inheritedRowIds } from '../../lake/convert/inherited-row-ids.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import {
  type PendingUploadDependencies,
  PendingUploads,
} from '../../lake/deletion/pending-uploads.ts'
import { withoutRequired } from '../../lake/file/converted-file.ts'
import { overChunks, readFooterOf } from '../../lake/file/read-footer.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { toCommitOrder } from '../../lake/scan/commit-order.ts'
import { type PlannedFile, planScan } from '../../lake/scan/plan-files.ts'
import { asAtFolder } from '../../lake/snapshot/as-at-folder.ts'
import { deleteQuietly } from '../../lake/snapshot/orphans.ts'
import type { SnapshotDependencies } from '../../lake/snapshot/snapshot-dependencies.ts'
import { type PreparedSnapshot, writeSnapshot } from '../../lake/snapshot/snapshot-writer.ts'
import { requireWritable } from '../../lake/table/writable-table.ts'

/** Everything that rewriting data files uses. */
export type RewriteDependencies = SnapshotDependencies &
  PendingUploadDependencies &
  Pick<LakeServices, 'holds'> & { readonly converter: Converter }

/** The new definition; for each column to convert, its new field id and the one in the files. */
export interface EvolvedTable {
  readonly definition: TableDefinition
  readonly rewrites: ReadonlyMap<number, number>
}

interface HeldSource {
  readonly source: PlannedFile
  readonly held: HeldFiles
}

/**
 * Rewrites the live rows of a table into data files of another schema. Prepared again after a lost
 * race, it converts only files that it has not converted yet. Until the commit, nothing refers to
 * the new files: they are to be deleted, should the process end before.
 */
export class SchemaRewrite {
  readonly #deps: RewriteDependencies
  /** By `keyOf` their source; `undefined` if the source has no live rows. */
  readonly #converted = new Map<string, AddedFile | undefined>()
  /** All files written, even those for a schema that was superseded before the commit. */
  readonly #locations = new Set<string>()
  #used: ReadonlySet<string> = new Set()
  #pending: PendingUploads | undefined

  constructor(deps: RewriteDependencies) {
    this.#deps = deps
  }

  /**
   * The live data files of the table, converted; `converted` counts those converted by this call.
   * `undefined` if the table has no files.
   */
  async convert(
    state: TableState,
    evolved: EvolvedTable,
  ): Promise<{ readonly files: readonly AddedFile[]; readonly converted: number } | undefined> {
    const schema = currentSchema(state.definition)
    const plan = await planScan(this.#deps, state, { snapshot: state.currentSnapshot, schema })
    if (plan.totals.dataFiles === 0) return undefined
    if (plan.totals.bytes > REWRITE_BYTES_MAX) throw tooLarge(state, plan.totals.bytes)
    requireWritable(state)
    const before = this.#converted.size
    const sources = await toCommitOrder(plan.plannedFiles())
    const read = { state, snapshot: state.currentSnapshot }
    const files = await this.#deps.holds.during({ kind: 'rewrite' }, [read], async (held) => {
      const results = inOrder(sources, this.#deps.converter.atOnce, (source) =>
        this.#convertOnce(state, evolved, { source, held }),
      )
      const made: AddedFile[] = []
      for await (const file of results) if (file !== undefined) made.push(file)
      return made
    })
    return { files, converted: this.#converted.size - before }
  }

  /** The snapshot of rewritten files; `undefined` if the table has no files. */
  async prepare(state: TableState, evolved: EvolvedTable): Promise<PreparedSnapshot | undefined> {
    const result = await this.convert(state, evolved)
    if (result === undefined) return undefined
    const added = result.files
    this.#used = new Set(added.map((file) => file.path))
    const next = { ...state, definition: evolved.definition }
    return writeSnapshot(this.#deps, next, {
      change: { added, removedPaths: new Set(), truncate: true },
      summary: { 'moraine.schema-change': describe(state, evolved) },
    })
  }

  /** Deletes files that no snapshot needs: all after a refusal, none if the outcome is unknown. */
  async end(outcome: unknown): Promise<void> {
    if (isUnknownState(outcome)) return
    const used = outcome === 'committed' ? this.#used : new Set()
    const unused = [...this.#locations].filter((location) => !used.has(location))
    await deleteQuietly(this.#deps, unused)
    await this.#pending?.forgetGone()
  }

  async #convertOnce(
    state: TableState,
    evolved: EvolvedTable,
    read: HeldSource,
  ): Promise<AddedFile | undefined> {
    const key = keyOf(state, evolved, read.source)
    if (this.#converted.has(key)) return this.#converted.get(key)
    const file = await this.#convertFile(state, evolved, read)
    this.#converted.set(key, file)
    return file
  }

  #convertFile(
    { definition }: TableState,
    evolved: EvolvedTable,
    { source, held }: HeldSource,
  ): Promise<AddedFile | undefined> {
    const { converter, objects } = this.#deps
    const conversion = {
      definition,
      source,
      held,
      restriction: 'unrestricted' as const,
      format: 'parquet' as const,
      compression: 'none' as const,
      readAs: currentSchema(definition),
      schema: currentSchema(evolved.definition),
      idsInFile: evolved.rewrites,
      rowIds: inheritedRowIds(evolved.definition, source),
    }
    return converter.convert(conversion, async ({ path, rows }) => {
      if (rows === 0) return undefined
      const location = this.#newLocation(definition, source)
      this.#locations.add(location)
      this.#pending ??= new PendingUploads(this.#deps, definition.tableUuid)
      await this.#pending.add([location])
      await objects.putFileIfAbsent(location, path)
      return this.#describe(location, evolved, source.dataFile)
    })
  }

  #newLocation(definition: TableDefinition, { dataFile }: PlannedFile): string {
    const { ambient } = this.#deps
    const spec = getSpec(definition, dataFile.specId)
    const folder = partitionFolder(spec, schemaOfSpec(definition, spec), dataFile.partition)
    const index = String(this.#locations.size).padStart(4, '0')
    const name = `data-${index}-${ambient.newUuid()}.parquet`
    const segments = [definition.location, 'data', folder, asAtFolder(ambient.nowMs()), name]
    return segments.filter((segment) => segment !== '').join('/')
  }

  /** The partition stays the same: source columns of partition specs are never rewritten. */
  async #describe(
    path: string,
    { definition }: EvolvedTable,
    { specId, partition, sortOrderId }: DataFile,
  ): Promise<AddedFile> {
    const { footer, fileSizeBytes, identity } = await readFooterOf(this.#deps.objects, path)
    const schema = currentSchema(definition)
    const ofFile = withRowIdFields(withoutRequired(schema))
    const match = matchFileSchema({ footer, schema: ofFile })
    return {
      ...(await overChunks(footer, fileMetricsSteps(footer, match, schema))),
      content: 'data',
      path,
      format: 'parquet',
      specId,
      partition,
      fileSizeBytes,
      footerSha256: (await identity()).footerSha256,
      ...(sortOrderId !== undefined && { sortOrderId }),
    }
  }
}

/** Everything that determines a converted file: equal keys mean equal rows. */
function keyOf(
  { definition }: TableState,
  { definition: evolved }: EvolvedTable,
  source: PlannedFile,
): string {
  const { dataFile, deleteFiles } = source
  const files = [dataFile, ...deleteFiles].map((file) => [file.path, file.contentOffset ?? 0])
  const schemas = [currentSchema(definition), currentSchema(evolved)].map(schemaToJson)
  const { firstRowId = null, sequenceNumber = null } = inheritedRowIds(definition, source) ?? {}
  return stringifyExactJson([...schemas, ...files, firstRowId, sequenceNumber])
}

/** `n: long to double`. */
function describe({ definition }: TableState, { definition: evolved, rewrites }: EvolvedTable) {
  const [before, after] = [currentSchema(definition), currentSchema(evolved)]
  const changes = [...rewrites].map(([id, source]) => {
    const types = [findField(before, source), findField(after, id)].map((field) =>
      field === undefined ? '' : typeName(field.type),
    )
    return `${findField(after, id)?.name}: ${types.join(' to ')}`
  })
  return changes.join(', ')
}

function tooLarge(state: TableState, bytes: number): CatalogError {
  const table = formatTableName(state.namespace, state.name)
  return new CatalogError(
    'schema-change-invalid',
    `${table} is too large to rewrite: it has ${bytes} bytes of data files, ` +
      `and the limit is ${REWRITE_BYTES_MAX}`,
    { facts: { rule: 'too-large-to-rewrite', bytes, bytesMax: REWRITE_BYTES_MAX } },
  )
}
