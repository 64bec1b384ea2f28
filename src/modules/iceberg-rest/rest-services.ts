import type { IncomingMessage } from 'node:http'
import type { Catalog } from '../../catalog/catalog.ts'
import type { LakeServices } from '../../lake/lake.ts'
import type { ObjectVending } from '../../objects/object-vending.ts'
import type { DropDependencies } from '../tables/drop-table.ts'

/** Gives a short-lived token to whoever sends a key. */
export type TokenMaker = (
  request: IncomingMessage,
  credential: { readonly id: string; readonly secret: string },
) => Promise<{ readonly token: string; readonly expiresInSeconds: number }>

/** The lake, and further stores that the REST catalog uses. */
export type RestServices = LakeServices &
  DropDependencies & {
    readonly vending: ObjectVending
    /** Where an identity provider gives tokens; `undefined` if there is none, or it is down. */
    readonly tokenEndpoint?: () => Promise<string | undefined>
    /** Throws what signing in throws; `undefined`: nobody is asked who they are. */
    readonly tokenFor?: TokenMaker | undefined
    readonly catalog: Pick<Catalog, 'events' | 'views' | 'namespaces' | 'replays' | 'publications'>
  }
