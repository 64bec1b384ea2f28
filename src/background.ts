import type { Consumer } from './lake/events/consumer.ts'
import { type ConsumerDependencies, Consumers } from './lake/events/consumers.ts'
import type { EventFeed } from './lake/events/event-feed.ts'
import type { JobKind } from './lake/jobs/job-kind.ts'
import type { Jobs } from './lake/jobs/jobs.ts'
import type { Task } from './lake/jobs/task.ts'
import { type TaskDependencies, TaskRunner } from './lake/jobs/task-runner.ts'

export type BackgroundPlatform = TaskDependencies &
  ConsumerDependencies & {
    readonly feed: EventFeed
    readonly jobs: Jobs
  }

export interface BackgroundWork {
  readonly tasks: readonly Task[]
  readonly kinds: readonly JobKind[]
  readonly consumers: readonly Consumer[]
}

export interface Background {
  /** Releases running work; another process, or the next start, continues it. */
  close(): Promise<void>
}

/** Starts background work: tasks, jobs, and consumers of events. */
export function startBackground(platform: BackgroundPlatform, work: BackgroundWork): Background {
  const { feed, jobs } = platform
  const tasks = new TaskRunner(platform, work.tasks)
  const consumers = new Consumers(platform, { feed, consumers: work.consumers })
  jobs.start({ kinds: work.kinds })
  tasks.start()
  consumers.start()
  return {
    async close() {
      await Promise.all([tasks.close(), consumers.close(), jobs.close()])
    },
  }
}
