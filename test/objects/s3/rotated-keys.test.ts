import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectS3, providerOf } from '../../../src/objects/s3/s3-connection.ts'

const folder = mkdtempSync(join(tmpdir(), 'moraine-keys-'))
const path = join(folder, 'keys')
afterAll(() => rmSync(folder, { recursive: true }))

function write(id: string): void {
  writeFileSync(
    path,
    `[mine]\naws_access_key_id = ${id}\naws_secret_access_key = secret-of-${id}\n`,
  )
}

type Provider = () => Promise<{ readonly accessKeyId: string; readonly expiration?: Date }>

test('keys in a file are read anew, and those of before stay where it cannot be read', async () => {
  write('first')
  const provider = providerOf({ path, profile: 'mine' }) as Provider
  const first = await provider()
  expect(first).toMatchObject({ accessKeyId: 'first', secretAccessKey: 'secret-of-first' })
  write('second')
  expect(await provider()).toMatchObject({ accessKeyId: 'second' })
  rmSync(path)
  expect(await provider()).toMatchObject({ accessKeyId: 'second' })
})

test('a file that was never read is told', async () => {
  rmSync(path, { force: true })
  const provider = providerOf({ path, profile: 'mine' }) as Provider
  await expect(provider()).rejects.toThrow(/mine/)
})

test('the SDK keeps them for a while, and not for ever', async () => {
  write('kept')
  const client = connectS3(
    { region: 'us-east-1', endpoint: undefined, forcePathStyle: true },
    { path, profile: 'mine' },
    1,
  )
  const kept = await client.config.credentials()
  write('later')
  expect(await client.config.credentials()).toMatchObject({ accessKeyId: 'kept' })
  const leftMs = (kept.expiration?.getTime() ?? Infinity) - Date.now()
  // Five minutes before the end the SDK asks again.
  expect(leftMs).toBeGreaterThan(5 * 60_000)
  expect(leftMs).toBeLessThanOrEqual(10 * 60_000)
  client.destroy()
})
