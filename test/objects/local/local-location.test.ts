import {
  isTemporaryName,
  isUsableName,
  isWithin,
  pathOfFile,
  pathOfFolder,
  temporaryName,
} from '../../../src/objects/local/local-location.ts'

const UUID = '0f0f0f0f-0000-4000-8000-000000000000'
const invalid = expect.objectContaining({ code: 'location-invalid' }) as Error

test.each(['/a//b', 'file:/a/./b', 'file:///a///b', '/./a/.//b', 'file:////a/b'])(
  '%s is the file that its key names',
  (location) => {
    expect(pathOfFile(location)).toBe('/a/b')
    expect(pathOfFolder(`${location}//`)).toBe('/a/b')
  },
)

test('a location is a path in three spellings, taken verbatim', () => {
  for (const location of ['/a/b c%20/ü', 'file:/a/b c%20/ü', 'file:///a/b c%20/ü']) {
    expect(pathOfFile(location)).toBe('/a/b c%20/ü')
    expect(pathOfFolder(`${location}/`)).toBe('/a/b c%20/ü')
  }
  expect(pathOfFolder('/')).toBe('')
  expect(pathOfFile('/a/k=x%2Fy')).toBe('/a/k=x%2Fy')
})

test.each([
  ['a host', 'file://host/a'],
  ['a relative path', 'a/b'],
  ['another scheme', 's3://bucket/a'],
  ['a trailing slash', '/a/'],
  ['a dot at the end', '/a/.'],
  ['empty segments at the end', '/a//'],
  ['two dots', '/a/../b'],
  ['two dots at the end', '/a/..'],
  ['two dots behind an encoded slash', '/a/x%2F..%2f..'],
  ['a dot behind an encoded slash', '/a/x%2f.%2fb'],
  ['a backslash', '/a\\b'],
  ['an encoded backslash', '/a%5Cb'],
  ['an encoded dot', '/a/%2E%2e/b'],
  ['an encoded NUL', '/a%00'],
  ['a NUL', '/a\0'],
  ['a line break', '/a\nb'],
  ['a control character of the second block', '/a\u0085b'],
  ['half a surrogate pair', '/a\ud800'],
  ['a path of too many bytes', `/${'ü'.repeat(2_001)}`],
  ['a path of too many characters', `/${'u'.repeat(4_001)}`],
  ['a name of files being written', `/a/${temporaryName(UUID)}`],
])('%s is refused', (_, location) => {
  expect(() => pathOfFile(location)).toThrow(invalid)
})

test('what has a host, or is no location of this machine, is told how one looks', () => {
  for (const location of ['file://host/a', 'file://a', 's3://bucket/a', 'a/b']) {
    expect(() => pathOfFile(location)).toThrow('file:///folder/name')
  }
})

test('the longest path is taken', () => {
  expect(pathOfFile(`/${'u'.repeat(3_999)}`)).toHaveLength(4_000)
})

test('names found on disk are told by the same rule', () => {
  expect(['a', '.hidden', 'a..b', '...'].map(isUsableName)).toEqual([true, true, true, true])
  expect(['..', 'a\\b', '%2e', 'a\n'].map(isUsableName)).toEqual([false, false, false, false])
  expect(isTemporaryName(temporaryName(UUID))).toBe(true)
  expect([`x${temporaryName(UUID)}`, `${temporaryName(UUID)}x`].some(isTemporaryName)).toBe(false)
})

test('what is within a folder is the folder and what is below it, not its neighbours', () => {
  expect(isWithin('/a/b', '/a/b')).toBe(true)
  expect(isWithin('/a/b', '/a/b/c')).toBe(true)
  expect(isWithin('/a/b', '/a/bc')).toBe(false)
  expect(isWithin('/a/b', '/a')).toBe(false)
  expect(isWithin('', '/a')).toBe(true)
})
