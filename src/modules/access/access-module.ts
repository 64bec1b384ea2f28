import type { Task } from '../../lake/jobs/task.ts'
import type { Module } from '../module.ts'
import type { AccessPlatform } from './access-platform.ts'
import { keyRoutes } from './key-routes.ts'
import { permissionRoutes } from './permission-routes.ts'
import { policyRoutes } from './policy-routes.ts'
import { principalRoutes } from './principal-routes.ts'
import { roleRoutes } from './role-routes.ts'

const HOUR_MS = 3_600_000
const SIGNING_KEYS_KEPT_MS = 48 * HOUR_MS

export type AccessModulePlatform = AccessPlatform & { readonly deleteGraceMs: number }

/** Who may do what: keys, privileges and roles. */
export function accessModule(platform: AccessModulePlatform): Module {
  return {
    name: 'access',
    routes: [
      ...keyRoutes(platform),
      ...permissionRoutes(platform),
      ...principalRoutes(platform),
      ...policyRoutes(platform),
      ...roleRoutes(platform),
    ],
    tasks: [forgetOldAccess(platform)],
  }
}

function forgetOldAccess({ catalog, ambient, deleteGraceMs }: AccessModulePlatform): Task {
  return {
    name: 'forget permissions on what is gone',
    everyMs: HOUR_MS,
    run: async () => {
      const nowMs = ambient.nowMs()
      await catalog.grants.forgetOrphans({ nowMs, beforeMs: nowMs - deleteGraceMs })
      await catalog.policies.forgetOrphans({ nowMs, beforeMs: nowMs - deleteGraceMs })
      await catalog.keys.forgetSigningKeys(nowMs - SIGNING_KEYS_KEPT_MS)
    },
  }
}
