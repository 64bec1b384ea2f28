import type { Catalog } from '../../catalog/catalog.ts'
import { dayOf } from '../../core/value/date-time.ts'
import type { Task } from '../../lake/jobs/task.ts'
import type { Module } from '../module.ts'
import { auditChanges } from './audit-changes.ts'
import { type AuditRoutesPlatform, auditRoutes } from './audit-routes.ts'
import { AuditSealer, type SealerDependencies } from './audit-sealer.ts'
import type { AuditTrail } from './audit-trail.ts'

const HOUR_MS = 3_600_000
const SEAL_EVERY_MS = 60_000

export interface AuditPlatform extends AuditRoutesPlatform, SealerDependencies {
  readonly catalog: AuditRoutesPlatform['catalog'] & Pick<Catalog, 'audit' | 'usage' | 'leases'>
  readonly auditTrail: AuditTrail
}

/** Who did what, and how much was used. */
export function auditModule(platform: AuditPlatform): Module {
  let made: AuditSealer | undefined
  const sealer = () => {
    made ??= new AuditSealer(platform)
    return made
  }
  return {
    name: 'audit',
    routes: auditRoutes(platform),
    consumes: [auditChanges(platform)],
    tasks: [forgetUsage(platform), sealRows(sealer)],
    // Absent where routes are only documented.
    meters: platform.auditTrail?.meters() ?? [],
    // A key that cannot be used is told at the start, not a minute later.
    prepare: async () => {
      await platform.sealKey()
      await sealer().lookAtKey()
    },
  }
}

function sealRows(sealer: () => AuditSealer): Task {
  return {
    name: 'seal the audit',
    everyMs: SEAL_EVERY_MS,
    run: (signal) => sealer().run(signal),
  }
}

function forgetUsage({ catalog, ambient, auditRetentionMs }: AuditPlatform): Task {
  return {
    name: 'forget usage',
    everyMs: HOUR_MS,
    run: async () => {
      const before = dayOf(ambient.nowMs() - auditRetentionMs)
      await catalog.usage.forget(before)
    },
  }
}
