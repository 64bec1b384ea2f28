import { openCommandLog } from './command-log.ts'
import type { AddCommand, Shell } from './shell.ts'

const HELP = `
Prints the key and nothing else, once: it is kept nowhere. A service that runs on the same catalog
lets it in within a second. Revoke it like any other, with DELETE /v1/keys/<id>.
`

export const addCreateAdminKey: AddCommand = (program, shell) => {
  program
    .command('create-admin-key')
    .description('print a new key that may do everything, for MORAINE_AUTH=keys')
    .addHelpText('after', HELP)
    .action(() => createAdminKey(shell))
}

async function createAdminKey({ readConfig, print }: Shell): Promise<void> {
  const config = readConfig()
  const [{ openPlatform }, { newKeyText }] = await Promise.all([
    import('../service.ts'),
    import('../modules/access/key-text.ts'),
  ])
  const log = await openCommandLog(config)
  const platform = await openPlatform(config, { log })
  try {
    const { keyId, hash, text } = newKeyText()
    const createdAtMs = platform.ambient.nowMs()
    const description = 'made by the command create-admin-key'
    await platform.catalog.keys.create({
      ...{ keyId, secretHash: hash, description, scopes: null, createdBy: 'anonymous' },
      ...{ createdAtMs, expiresAtMs: null, isAdmin: true },
    })
    print(text)
  } finally {
    await platform.close()
  }
}
