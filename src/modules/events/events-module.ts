import type { Module } from '../module.ts'
import { eventRoutes } from './event-routes.ts'
import { type HousekeepingPlatform, housekeepingTasks } from './housekeeping.ts'
import { type JobsPlatform, jobRoutes } from './job-routes.ts'
import type { EventsPlatform } from './read-events.ts'

/** Events, jobs, and the removal of old records. */
export function eventsModule(
  platform: EventsPlatform & JobsPlatform & HousekeepingPlatform,
): Module {
  return {
    name: 'events',
    routes: [...eventRoutes(platform), ...jobRoutes(platform)],
    tasks: housekeepingTasks(platform),
  }
}
