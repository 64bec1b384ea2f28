import { createHash } from 'node:crypto'
import { merkleRoot } from '../../../src/modules/audit/merkle-root.ts'

/** As in the tests of Certificate Transparency, the log that RFC 6962 is of. */
const ENTRIES = [
  ...['', '00', '10', '2021', '3031', '40414243', '5051525354555657'],
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => Buffer.from(hex, 'hex').toString('latin1'))
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

test('roots of up to eight entries are those of Certificate Transparency', () => {
  expect(ROOTS.map((_, count) => merkleRoot(ENTRIES.slice(0, count)))).toEqual(ROOTS)
})

/** As RFC 6962 words it, section 2.1. */
function treeHash(entries: readonly string[]): Buffer {
  const hash = (...parts: Uint8Array[]) =>
    createHash('sha256').update(Buffer.concat(parts)).digest()
  const [first = ''] = entries
  if (entries.length === 1) return hash(Buffer.from([0]), Buffer.from(first))
  const half = 2 ** Math.ceil(Math.log2(entries.length) - 1)
  const halves = [entries.slice(0, half), entries.slice(half)]
  return hash(Buffer.from([1]), ...halves.map(treeHash))
}

test('roots are as the standard defines them, of any count', () => {
  for (let count = 1; count <= 70; count++) {
    const entries = Array.from({ length: count }, (_, i) => `entry ${i}`)
    expect(merkleRoot(entries)).toBe(treeHash(entries).toString('hex'))
  }
})
