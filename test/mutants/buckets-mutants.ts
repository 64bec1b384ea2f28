import type { MutantGroup } from './mutant.ts'

const LOCATION = ['test/objects/bucket/bucket-location.test.ts']
const RANGE = ['test/objects/bucket/bucket-range.test.ts']
const ERRORS = ['test/objects/bucket/store-errors.test.ts']
const ANSWERED = ['test/objects/bucket/whole-for-range.test.ts']
const GCS_HTTP = ['test/objects/gcs/gcs-http.test.ts']
const STALLED = ['test/objects/bucket/stalled-readers.test.ts']
const PAGES = ['test/objects/bucket/canned-pages.test.ts']
const S3_STORE = ['test/objects/s3/s3-store.test.ts']
const S3_FAULTS = ['test/objects/s3/s3-faults.test.ts']
const GCS_STORE = ['test/objects/gcs/gcs-store.test.ts']
const GCS_CREDENTIALS = ['test/objects/gcs/gcs-credentials.test.ts']
const GCS_FAULTS = ['test/objects/gcs/gcs-faults.test.ts']

/** Bugs in the stores of buckets; their tests need the servers of `make stores-all`. */
export const BUCKETS: readonly MutantGroup[] = [
  {
    file: 'src/objects/bucket/bucket-location.ts',
    tests: LOCATION,
    edits: [
      ['key.startsWith(`${root.key}/`)', 'key.startsWith(root.key)'],
      ['  if (root.bucket !== bucket) return false\n', ''],
      [`return root.key === '' || key`, 'return key'],
      ['key === root.key || ', ''],
      ['const KEY_BYTES_MAX = 1_024', 'const KEY_BYTES_MAX = 1_023'],
      ['{1,220}', '{1,221}'],
      ['    if (!BUCKET_NAME.test(bucket)) {', '    if (false) {'],
      ['if (fault !== undefined) throw invalidLocation(location, fault)', ''],
      [`if (place.key === '') throw`, 'if (false) throw'],
      [`    if (place.key.endsWith('/')) {`, '    if (false) {'],
      [`!key.endsWith('/') && findKeyFault`, 'findKeyFault'],
      [' && findKeyFault(key) === undefined', ''],
    ],
  },
  {
    file: 'src/objects/bucket/bucket-range.ts',
    tests: RANGE,
    edits: [
      ['range.offset + range.lengthBytes - 1', 'range.offset + range.lengthBytes'],
      ['total === undefined ? undefined : Number(total)', 'Number(total)'],
    ],
  },
  {
    file: 'src/objects/bucket/bucket-location.ts',
    tests: S3_STORE,
    named: 'weed',
    edits: [[`folderKey === '' ? '' : \`\${folderKey}/\``, 'folderKey']],
  },
  {
    file: 'src/objects/bucket/bucket-store.ts',
    tests: GCS_FAULTS,
    named: 'a move',
    edits: [
      [`found.mark === mark ? 'moved' : 'already-exists'`, `'moved'`],
      [`found.mark === mark ? 'moved' : 'already-exists'`, `'already-exists'`],
      ['    if (isRenamed) this.#canRename = false\n', ''],
      ['this.#canRename && isNear &&', 'this.#canRename &&'],
    ],
  },
  {
    file: 'src/objects/gcs/gcs-account.ts',
    tests: GCS_FAULTS,
    edits: [
      ['ifGenerationMatch: 0, ifSourceGenerationMatch: generation', 'ifGenerationMatch: 0'],
      ['ifGenerationMatch: 0, ifSourceGenerationMatch', 'ifSourceGenerationMatch'],
      ['ifGenerationMatch: 0, sourceGeneration: generation', 'ifGenerationMatch: 0'],
      ['ifGenerationMatch: 0, sourceGeneration', 'sourceGeneration'],
    ],
  },
  {
    file: 'src/objects/bucket/watched-upload.ts',
    tests: GCS_FAULTS,
    edits: [
      ['Promise.race([upload(watched(), stop.signal), stalled])', 'upload(watched(), stop.signal)'],
    ],
  },
  {
    file: 'src/objects/bucket/cuts.ts',
    tests: RANGE,
    edits: [
      ['this.#count > CUTS_MAX', 'this.#count >= CUTS_MAX'],
      ['this.#count > CUTS_MAX', 'false'],
      ['position - this.#position > PROGRESS_BYTES', 'position > PROGRESS_BYTES'],
      ['    this.#position = position\n', ''],
    ],
  },
  {
    file: 'src/objects/s3/s3-error.ts',
    tests: ERRORS,
    edits: [
      [`  PreconditionFailed: 'precondition',\n`, ''],
      [`  ConditionalRequestConflict: 'busy',\n`, ''],
      [`  412: 'precondition',\n`, ''],
      [`  404: 'missing',\n`, ''],
      [`  NoSuchBucket: 'bucket-missing',\n`, ''],
      [`  501: 'not-supported',\n`, ''],
      [`  NoSuchUpload: 'upload-gone',\n`, ''],
      [`status >= 500) return 'busy'`, `status > 500) return 'busy'`],
      [`  InvalidAccessKeyId: 'credentials-refused',\n`, ''],
      [`status !== undefined || isNetworkError(error)`, 'status !== undefined'],
      [`isNetworkError(error) ? 'busy'`, `true ? 'busy'`],
    ],
  },
  {
    file: 'src/objects/gcs/gcs-error.ts',
    tests: ERRORS,
    edits: [
      [`  412: 'precondition',\n`, ''],
      [`  404: 'missing',\n`, ''],
      [`  403: 'rights-missing',\n`, ''],
      [`  if (NO_BUCKET.test(message)) return 'bucket-missing'\n`, ''],
      [`  if (SKEWED.test(message)) return 'clock-skewed'\n`, ''],
      [`status >= 500) return 'busy'`, `status > 500) return 'busy'`],
      [`  if (isNetworkError(error)) return 'busy'\n`, ''],
    ],
  },
  {
    file: 'src/objects/bucket/network-error.ts',
    tests: ERRORS,
    edits: [
      [`typeof message === 'string' && TOLD.some`, `false && TOLD.some`],
      [`typeof code === 'string' && CODE.test`, `false && CODE.test`],
      ['    next = cause\n', '    next = undefined\n'],
    ],
  },
  {
    file: 'src/objects/bucket/bucket-error.ts',
    tests: ERRORS,
    edits: [
      ['  if (error instanceof CatalogError) return error\n', ''],
      ['return replacedFile(location, error)', 'return missingFile(location)'],
      [`'storage-unavailable'`, `'storage-misconfigured'`],
    ],
  },
  {
    file: 'src/objects/bucket/bucket-store.ts',
    tests: S3_STORE,
    named: 'weed',
    edits: [
      ['if (error instanceof SourceError) throw error.cause', ''],
      ['if (sizeBytes > most) throw tooLarge', 'if (false) throw tooLarge'],
      ['    await this.delete(from, { version })\n', ''],
      ['Math.min(offset + bytesMax, body.sizeBytes)', 'offset + bytesMax'],
      ['Math.max(0, sizeBytes - bytesMax)', 'sizeBytes - bytesMax'],
      [`folder.endsWith('/') ? folder : `, ''],
      ['      if (isNotFound(error)) return undefined\n', ''],
      ['      if (!isGone) throw error\n', ''],
    ],
  },
  {
    file: 'src/objects/bucket/bucket-store.ts',
    tests: ['test/objects/bucket/bucket-roots.test.ts'],
    edits: [
      [
        'const place = this.#writable.placeOfObject(location)\n    if',
        'const place = this.#readable.placeOfObject(location)\n    if',
      ],
      [
        'const target = this.#writable.placeOfObject(to)',
        'const target = this.#readable.placeOfObject(to)',
      ],
      [
        'const source = this.#writable.placeOfObject(from)',
        'const source = this.#readable.placeOfObject(from)',
      ],
      [
        'const place = this.#writable.placeOfObject(location)\n    return fileSlots',
        'const place = this.#readable.placeOfObject(location)\n    return fileSlots',
      ],
    ],
  },
  {
    file: 'src/objects/bucket/bucket-store.ts',
    tests: GCS_STORE,
    edits: [['      if (isNotFound(error)) return\n', '']],
  },
  {
    file: 'src/objects/bucket/bucket-store.ts',
    tests: S3_FAULTS,
    edits: [
      [
        'if (!isSettled) throw bucketError(error, fault, location)',
        'if (fault === undefined) throw error',
      ],
      [`    if (outcome === 'already-exists') return outcome\n    // Then`, '    // Then'],
      [` || fault === 'upload-gone'`, ''],
      [`found.mark === mark ? 'written' : 'already-exists'`, `'already-exists' as const`],
      [`found.mark === mark ? 'written' : 'already-exists'`, `'written' as const`],
    ],
  },
  {
    file: 'src/objects/bucket/bucket-requests.ts',
    tests: S3_FAULTS,
    edits: [
      ['          position += chunk.byteLength\n', ''],
      ['      version = body.version\n', ''],
      ['isWhole && position === 0', 'false'],
      ['const isLonger = isAll && body.sizeBytes > end', 'const isLonger = false'],
    ],
  },
  {
    file: 'src/objects/s3/s3-client.ts',
    tests: S3_STORE,
    named: 'weed',
    edits: [
      [`, IfNoneMatch: '*'`, ''],
      ['totalBytes(contentRange) ?? lengthBytes', 'lengthBytes'],
      ['encodeURIComponent(`${from.bucket}/${from.key}`)', '`${from.bucket}/${from.key}`'],
    ],
  },
  {
    file: 'src/objects/s3/s3-client.ts',
    tests: S3_FAULTS,
    edits: [
      [`, Metadata: { [MARK]: mark } }`, ' }'],
      [
        '...(version !== undefined && { IfMatch: version }),\n    })\n    const found',
        '})\n    const found',
      ],
      ['connectS3(place, readCredentials, 1)', 'connectS3(place, writeCredentials, 1)'],
      ['connectS3(place, writeCredentials, 1)', 'connectS3(place, readCredentials, 1)'],
      ['(place, writeCredentials, PART_TRIES)', '(place, readCredentials, PART_TRIES)'],
    ],
  },
  {
    file: 'src/objects/gcs/gcs-client.ts',
    tests: GCS_STORE,
    edits: [
      [
        '    preconditionOpts: { ifGenerationMatch: 0 },\n    metadata: { metadata',
        '    metadata: { metadata',
      ],
      [`totalBytes(contentRange) ?? Number`, 'Number'],
    ],
  },
  {
    file: 'src/objects/gcs/gcs-account.ts',
    tests: GCS_STORE,
    edits: [['encodeURIComponent(key)', 'key']],
  },
  {
    file: 'src/objects/gcs/gcs-client.ts',
    tests: GCS_FAULTS,
    edits: [
      [', preconditionOpts: { ifGenerationMatch: 0 } },', ' },'],
      ['    metadata: { metadata: { [MARK]: mark } },\n', ''],
      ['const query = { generation: version }', 'const query = {}'],
      ['if (version !== undefined) await this.#requireVersion(place, version, signal)', ''],
    ],
  },
  {
    file: 'src/objects/bucket/store-patience.ts',
    tests: S3_FAULTS,
    edits: [
      ['const ATTEMPTS_MORE = 4', 'const ATTEMPTS_MORE = 0'],
      ['const FAILURES_MAX = 12', 'const FAILURES_MAX = 1_200'],
      ['const LEFT_ALONE_MS = 5_000', 'const LEFT_ALONE_MS = 500_000'],
    ],
  },
  {
    file: 'src/objects/bucket/bucket-store.ts',
    tests: PAGES,
    edits: [
      ['found.next\n    } while (page !== undefined)', 'found.next\n    } while (false)'],
      ['= next\n    } while (page !== undefined)', '= next\n    } while (false)'],
      ['        if (beganAtMs >= sweep.beforeMs) continue\n', ''],
    ],
  },
  {
    file: 'src/objects/s3/s3-parts.ts',
    tests: ['test/objects/s3/s3-moves.test.ts'],
    edits: [
      [`, IfNoneMatch: '*'`, ''],
      [`, Metadata: { [MARK]: mark }`, ''],
      ['      CopySourceIfMatch: version,\n', ''],
    ],
  },
  {
    file: 'src/objects/s3/s3-client.ts',
    tests: PAGES,
    edits: [['found.IsTruncated ? found.NextContinuationToken : undefined', 'undefined']],
  },
  {
    file: 'src/objects/gcs/gcs-client.ts',
    tests: PAGES,
    edits: [['return { objects, next: nextPageToken }', 'return { objects, next: undefined }']],
  },
  {
    file: 'src/objects/bucket/bucket-range.ts',
    tests: ANSWERED,
    edits: [
      ['Number(from) === first && ', ''],
      [' && Number(to) === last', ''],
      ['Math.max(0, sizeBytes - asked.lastBytes)', 'sizeBytes - asked.lastBytes'],
    ],
  },
  {
    file: 'src/objects/s3/s3-client.ts',
    tests: ANSWERED,
    edits: [['requireRange(range, { contentRange, sizeBytes: state.sizeBytes })', '']],
  },
  {
    file: 'src/objects/gcs/gcs-client.ts',
    tests: ANSWERED,
    edits: [
      ['requireRange(range, { contentRange, sizeBytes })', ''],
      [`'accept-encoding': 'gzip',`, ''],
    ],
  },
  {
    file: 'src/objects/gcs/gcs-http.ts',
    tests: GCS_HTTP,
    edits: [
      ['signal.throwIfAborted()', ''],
      ['startOf(addAbortSignal(request.signal, response))', 'startOf(response)'],
    ],
  },
  {
    file: 'src/objects/gcs/gcs-client.ts',
    tests: GCS_CREDENTIALS,
    edits: [
      ['this.#reader.head', 'this.#writer.head'],
      ['this.#reader.list', 'this.#writer.list'],
      ['await this.#reader\n      .open', 'await this.#writer\n      .open'],
      ['keyFile: writeKeyFile, maxRetries', 'keyFile: readKeyFile, maxRetries'],
      ['this.#writer.create', 'this.#reader.create'],
      ['this.#writer.copy', 'this.#reader.copy'],
      ['this.#writer.move', 'this.#reader.move'],
      ['this.#writer.delete', 'this.#reader.delete'],
    ],
  },
  {
    file: 'src/objects/gcs/gcs-links.ts',
    tests: GCS_CREDENTIALS,
    edits: [
      ['fileOf(this.#reader, place).getMetadata', 'fileOf(this.#writer, place).getMetadata'],
      ['fileOf(this.#writer, place).request', 'fileOf(this.#reader, place).request'],
    ],
  },
  {
    file: 'src/objects/bucket/connections.ts',
    tests: STALLED,
    edits: [['1_280', '256']],
  },
]
