import type { MutantGroup } from './mutant.ts'

const LONG_BOUNDS = ['test/core/filter/prune/long-bounds.test.ts']
const PRUNER_CASES = ['test/core/filter/prune/pruner.test.ts']
const REQUIREMENT = ['test/core/metadata/table-requirement.test.ts']
const SNAPSHOT_UPDATE = ['test/core/metadata/snapshot-update.test.ts']
const TABLE_NAME = ['test/core/table/table-name.test.ts']
const SINGLE_VALUE = ['test/core/value/single-value.test.ts']
const LOCATION_KEY = ['test/core/file/location-key.test.ts']
const PARTITION_VALUES = ['test/core/partition/partition-values.test.ts']
const RECONCILIATION = ['test/core/schema/schema-reconciliation.test.ts']

/** Bugs in the rules. */
export const CORE: readonly MutantGroup[] = [
  {
    file: 'src/core/metadata/table-requirement.ts',
    tests: REQUIREMENT,
    edits: [
      ['return expected === found ? undefined', 'return expected <= found ? undefined'],
      ['return expected === found ? undefined ', 'return expected >= found ? undefined '],
      ['snapshotId === ref.snapshotId', 'snapshotId <= ref.snapshotId'],
      ['if (snapshotId === ref.snapshotId)', 'if (snapshotId >= ref.snapshotId)'],
      ['found.toLowerCase() === expected.toLowerCase()', 'found === expected'],
      [`    return snapshotId === null\n`, `    return snapshotId !== null\n`],
      ['Object.hasOwn(state.refs, name) ? state.refs[name] : undefined', 'state.refs[name]'],
      ['found: definition.lastPartitionId', 'found: definition.lastColumnId'],
      ['found: definition.defaultSpecId', 'found: requirement.defaultSpecId'],
      ['found: definition.defaultSortOrderId', 'found: requirement.defaultSortOrderId'],
      ['found: definition.currentSchemaId', 'found: requirement.currentSchemaId'],
    ],
  },
  {
    file: 'src/core/metadata/snapshot-update.ts',
    tests: SNAPSHOT_UPDATE,
    edits: [
      ['if (snapshotId < 0n)', 'if (snapshotId <= 0n)'],
      ['if (snapshots.isTaken(snapshotId))', 'if (false)'],
      ['timestampMs > TIMESTAMP_MS_MAX', 'timestampMs >= TIMESTAMP_MS_MAX'],
      ['if (timestampMs < 0 ||', 'if ('],
      ['  takeSequenceNumber(draft, snapshot)\n', ''],
      ['  takeRowIds(draft, snapshot)\n', ''],
      ['sequenceNumber <= last && parentSnapshotId', 'sequenceNumber < last && parentSnapshotId'],
      ['sequenceNumber <= last && parentSnapshotId !== null', 'sequenceNumber <= last'],
      ['if (firstRowId < next)', 'if (firstRowId <= next)'],
      ['nextRowId: firstRowId + addedRows }', 'nextRowId: next + addedRows }'],
      ['if (number <= NUMBER_MAX) return\n', 'return\n'],
      ['if (number <= NUMBER_MAX) return\n', 'if (number < NUMBER_MAX) return\n'],
      ['if (addedRows < 0n) throw', 'if (addedRows <= 0n) throw'],
      ['formatVersion < 3)', 'formatVersion <= 3)'],
      ['name.length > REF_NAME_LENGTH_MAX', 'name.length >= REF_NAME_LENGTH_MAX'],
      [`if (type === 'tag' && name === MAIN_BRANCH)`, 'if (false)'],
      ['minSnapshotsToKeep <= 0', 'minSnapshotsToKeep < 0'],
      ['maxSnapshotAgeMs <= 0', 'maxSnapshotAgeMs < 0'],
      ['maxRefAgeMs <= 0', 'maxRefAgeMs < 0'],
      ['if (count < REFS_MAX)', 'if (count <= REFS_MAX)'],
      ['isSameRetention(before, after)\n', 'true\n'],
      ['snapshots.isRemoved(ref.snapshotId)) refs', 'false) refs'],
      ['if (snapshots.isRemoved(BigInt(id))) map', 'if (false) map'],
      ['snapshots.isRemoved(mainSnapshotId)) clear', 'false) clear'],
    ],
  },
  {
    file: 'src/core/table/table-name.ts',
    tests: TABLE_NAME,
    edits: [
      ['{0,127}$/', '{0,128}$/'],
      ['const NAMESPACE_LEVELS_MAX = 8', 'const NAMESPACE_LEVELS_MAX = 9'],
      ['tableUuid: text.toLowerCase()', 'tableUuid: text'],
      ['requireNewPart(parsed.name, name)\n', '\n'],
      ['text.length > IDENTIFIER_LENGTH_MAX', 'false'],
      ['hasNamespace ? namespace : stays', 'namespace'],
      ['|| UUID.test(name)\n', '\n'],
      [`part.includes('.')) ||`, 'false) ||'],
      ['  if (levels.length > NAMESPACE_LEVELS_MAX) throw tooDeep(text)\n', ''],
    ],
  },
  {
    file: 'src/core/file/location-key.ts',
    tests: LOCATION_KEY,
    edits: [
      [`s3a: 's3', s3n`, 's3n'],
      [`{ s3a: 's3', s3n: 's3' }`, `{ s3a: 's3' }`],
      ['key.length > prefix.length', 'true'],
      ['!PARENT_SEGMENT.test(key)', 'true'],
      [`segment !== '' && segment !== '.'`, `segment !== ''`],
      ["above.endsWith('/') ? above", 'true ? above'],
      ['(?:localhost)?', ''],
      ['const lowerCase = scheme.toLowerCase()', 'const lowerCase = scheme'],
    ],
  },
  {
    file: 'src/core/value/single-value.ts',
    tests: SINGLE_VALUE,
    // Without what is tried on hundreds of values.
    named: '^(?!.*survives its)',
    edits: [
      ['export const LONG_MAX = 2n ** 63n - 1n', 'export const LONG_MAX = 2n ** 63n'],
      ['export const LONG_MIN = -(2n ** 63n)', 'export const LONG_MIN = -(2n ** 63n) + 1n'],
      ['view.getInt32(0, true)) * MICROS_PER_DAY', 'view.getInt32(0, true)) * NANOS_PER_DAY'],
      ['view.setInt32(0, value as number, true)', 'view.setInt32(0, value as number)'],
      ['view.setBigInt64(0, value as bigint, true)', 'view.setBigInt64(0, value as bigint)'],
      ['if (bytes.length !== 16)', 'if (bytes.length < 16)'],
      ['return bytes[0] !== 0', 'return bytes[0] === 1'],
      ['{ ignoreBOM: true }', '{}'],
      ['Number.isSafeInteger(Number(value)) ? Number(value) : value', 'Number(value)'],
      ['return timestampText(value as bigint, 9)', 'return timestampText(value as bigint, 6)'],
      ['parsed.nanos % nanosPerTick !== 0n', 'false'],
      [`parsed.hasOffset !== kind.startsWith('timestamptz')`, 'false'],
      ['bytes?.length === type.length ? bytes', 'bytes ? bytes'],
      [`kind === 'float' ? Math.fround(number) : number`, 'number'],
      ['time.nanos % 1000n !== 0n', 'false'],
    ],
  },
  {
    file: 'src/core/partition/partition-values.ts',
    tests: PARTITION_VALUES,
    edits: [
      ['(statistics.recordCount === 0 && constant === undefined)', 'false'],
      ['return nulls >= total', 'return nulls > total'],
      ['if (nulls > 0)', 'if (nulls > 1)'],
      ['?? (isRequired ? 0 : undefined)', '?? 0'],
      ['compareValues(type, lower, upper) !== 0', 'compareValues(type, lower, upper) > 0'],
      ['Object.is(left, right)', 'left === right'],
      ['compareBytes(encodeSingleValue(type, value), bound) === 0 ? value : undefined', 'value'],
      ['isFloat && statistics.nanCount(sourceId) !== 0', 'false'],
      ['lower === undefined || upper === undefined', 'lower === undefined'],
    ],
  },
  {
    file: 'src/core/schema/schema-change.ts',
    tests: ['test/core/schema/schema-evolution.test.ts'],
    named: '^(?!.*more columns than)',
    edits: [
      [
        'if (field.required && field.initialDefault',
        'if (parent === undefined && field.required && field.initialDefault',
      ],
      ['if (field.required && field.initialDefault === undefined)', 'if (false)'],
      [`parent !== undefined && parent.field.type.kind !== 'struct'`, 'false'],
      ['return id !== field.id && folded', 'return folded'],
      ['folded.has(foldName(name))', 'folded.has(name)'],
      ['for (const { id } of allFields({ fields: [field] }))', 'for (const { id } of [field])'],
      ['if (bound.sources.has(id))', 'if (false)'],
      ['  draft.withdrawAlias(draft.siblingsOf(target.parent), field.name)\n', ''],
      ['[...(draft.aliasesById.get(field.id) ?? []), field.name]', '[field.name]'],
      ['if (field.required === !nullable) return', ''],
      [
        'draft.replace({ ...target.field, writeDefault })',
        'draft.replace({ ...target.field, initialDefault: writeDefault, writeDefault })',
      ],
      [
        '(reference.name === undefined) === (reference.id === undefined)',
        'reference.name === reference.id',
      ],
      ['  if (isInKey) throw', '  if (false) throw'],
      [`if (parent === undefined || parent.type.kind === 'struct') return`, 'return'],
    ],
  },
  {
    file: 'src/core/schema/schema-reconciliation.ts',
    tests: RECONCILIATION,
    edits: [
      ['  for (const wanted of desired) if (!found.has(wanted)) requireNoId(wanted.field)\n', ''],
      ['column.nullable === current.required', 'column.nullable !== current.required'],
      ['description !== (current.doc ?? null)', 'true'],
      [
        'const drops = level.current.filter((field) => !kept',
        'const drops = level.current.filter((field) => kept',
      ],
      ['[...new Set([...aliases, current.name])]', 'aliases'],
      ['nullable: !wanted.required })', 'nullable: wanted.required })'],
      ['    order.splice(i, 0, field.name)\n', ''],
    ],
  },
  {
    file: 'src/core/filter/prune/extent-test.ts',
    tests: PRUNER_CASES,
    edits: [
      ['comparator.bytes(bound) * sign > 0', 'comparator.bytes(bound) * sign >= 0'],
      [
        'bytes: (bound) => comparator.bytes(bound) * sign >= 0',
        'bytes: (bound) => comparator.bytes(bound) * sign > 0',
      ],
      ['> 0) start = middle + 1', '>= 0) start = middle + 1'],
      ['!(comparator.bytes(upper) < 0)', '!(comparator.bytes(upper) <= 0)'],
      [
        `kind !== 'string' && kind !== 'binary' && kind !== 'fixed'`,
        `kind !== 'binary' && kind !== 'fixed'`,
      ],
      ['Math.min(end, start + prefix.length)', 'end'],
    ],
  },
  {
    file: 'src/core/filter/prune/bound-narrowing.ts',
    tests: LONG_BOUNDS,
    edits: [
      ['>>> 0 > greatest', '> greatest'],
      ['>>> 0 < least', '< least'],
      ['if (h > high ||', 'if (h >= high ||'],
      ['if (h < high ||', 'if (h <= high ||'],
    ],
  },
  {
    file: 'src/core/filter/prune/comparator.ts',
    tests: LONG_BOUNDS,
    edits: [
      ['(readInt32(bytes, start) >>> 0) - low', 'readInt32(bytes, start) - low'],
      ['Number(literal & 0xffffffffn)\n', 'Number(BigInt.asIntN(32, literal))\n'],
    ],
  },
  {
    file: 'src/core/table/schema-of-rollback.ts',
    tests: ['test/core/metadata/rollback-schema.test.ts'],
    edits: [
      [', ...(rules.aliases.get(field.id) ?? [])]', ']'],
      ['if (isConverted(old, field)) yield { from: old, to: field, name: field.name }', ''],
      ['childFields(field.type), rules)', '[], rules)'],
      ['earlier.filter(({ id }) => !kept.has(id))', 'earlier'],
      ['same === undefined ? isRewrite : rules.isOther', 'isRewrite'],
      ['isOther(old, field) && isRewrite(old, field)', 'isOther(old, field)'],
    ],
  },
  {
    file: 'src/core/table/schema-of-rollback.ts',
    tests: ['test/modules/iceberg-rest/http/converted-meanwhile.test.ts'],
    edits: [['for (const { from, to } of found) ids.join(from.id, to.id)', '']],
  },
  {
    file: 'src/core/metadata/schema-update.ts',
    tests: ['test/core/metadata/rollback-schema.test.ts'],
    edits: [
      ['specs.toSorted((a, b) => b.specId - a.specId)[0]', 'specs[0]'],
      ['partitionSpecs: withOne(partitionSpecs, defaultSpec)', 'partitionSpecs'],
      ['sortOrders.filter(({ fields }) => fitsSchema(fields, schema))', 'sortOrders'],
    ],
  },
  {
    file: 'src/modules/tables/clone-table.ts',
    tests: ['test/modules/tables/clone-table.test.ts'],
    edits: [
      [
        '...withCurrentSchema(source.definition, currentSchemaId),',
        '...source.definition, currentSchemaId,',
      ],
    ],
  },
]
