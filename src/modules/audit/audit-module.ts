import type { Catalog } from '../../catalog/catalog.ts'
import type { Ambient } from '../../core/ambient.ts'
import { dayOf } from '../../core/value/date-time.ts'
import type { Task } from '../../lake/jobs/task.ts'
import type { Module } from '../module.ts'
import { auditChanges } from './audit-changes.ts'
import { type AuditRoutesPlatform, auditRoutes } from './audit-routes.ts'
import type { AuditTrail } from './audit-trail.ts'

const HOUR_MS = 3_600_000

export interface AuditPlatform extends AuditRoutesPlatform {
  readonly catalog: AuditRoutesPlatform['catalog'] & Pick<Catalog, 'audit' | 'usage'>
  readonly ambient: Pick<Ambient, 'nowMs'>
  readonly auditTrail: AuditTrail
  readonly auditRetentionMs: number
}

/** Who did what, and how much was used. */
export function auditModule(platform: AuditPlatform): Module {
  return {
    name: 'audit',
    routes: auditRoutes(platform),
    consumes: [auditChanges(platform)],
    tasks: [forgetUsage(platform)],
    // Absent where routes are only documented.
    meters: platform.auditTrail?.meters() ?? [],
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
