import { readdirSync, readFileSync } from 'node:fs'
import { readManifestList } from '../../../src/formats/manifest/manifest-list.ts'
import { decodeManifest } from '../../../src/formats/manifest/manifest-reader.ts'
import { manifestOf, toPlainJson } from '../json/plain-json.ts'
import { manifestFile } from './manifest-samples.ts'

const FOLDER = new URL('../files/', import.meta.url)
const CASES = readdirSync(FOLDER).filter((name) => name.endsWith('.avro'))

interface Golden {
  readonly kind: 'manifest' | 'manifest-list'
  readonly manifest: Readonly<Record<string, unknown>>
  readonly found: readonly unknown[]
}

describe('files of other writers', () => {
  test('are there', () => {
    expect(CASES.length).toBeGreaterThan(8)
  })

  test.each(CASES)('%s holds what is written beside it', (name) => {
    const bytes = readFileSync(new URL(name, FOLDER))
    const json = readFileSync(new URL(name.replace('.avro', '.json'), FOLDER), 'utf8')
    const golden = JSON.parse(json) as Golden
    if (golden.kind === 'manifest-list') {
      expect(toPlainJson(readManifestList(bytes))).toEqual(golden.found)
      return
    }
    const manifest = decodeManifest(bytes, manifestFile(manifestOf(golden.manifest)))
    const found = Array.from({ length: manifest.entryCount }, (_, i) => manifest.entry(i))
    expect(toPlainJson(found)).toEqual(golden.found)
  })
})
