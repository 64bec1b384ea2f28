import { openLocalStore } from '../../src/objects/local/local-store.ts'

/**
 * Run as a child: begins to write `argv[3]` below the root `argv[2]`, tells when half is written,
 * and never ends.
 */
const [root = '', location = ''] = process.argv.slice(2)

async function* halfThenNothing(): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < 64; i++) yield new Uint8Array(64 * 1_024).fill(7)
  process.stdout.write('half written\n')
  await new Promise(() => setInterval(() => undefined, 60_000))
}

const store = await openLocalStore({ writableRoots: [root], readableRoots: [] })
await store.putStreamIfAbsent(location, halfThenNothing(), { bytesMax: 2 ** 30 })
