import { Gate } from './gate.ts'
import { KillableService } from './killable-service.ts'

/** A loaded machine with a storm on it takes its time. */
const START_TIMEOUT_MS = 120_000

/** Processes of the service on one catalog, which are killed one after the other. */
export class ServiceGroup {
  readonly #environment: Record<string, string>
  readonly #services: (KillableService | undefined)[] = []
  readonly #gate = new Gate()
  #kills = 0

  private constructor(environment: Record<string, string>) {
    this.#environment = environment
  }

  static async start(
    environment: Record<string, string>,
    processes: number,
  ): Promise<ServiceGroup> {
    const group = new ServiceGroup(environment)
    for (let i = 0; i < processes; i++) await group.#startAt(i)
    return group
  }

  /** Addresses of those that run. */
  readonly urls = (): readonly string[] => this.#services.flatMap((service) => service?.url ?? [])

  /** Resolves while one runs. */
  readonly ready = (): Promise<void> => this.#gate.passed()

  get url(): string {
    return this.urls()[0] ?? ''
  }

  get pids(): readonly number[] {
    return this.#services.flatMap((service) => service?.pid ?? [])
  }

  get complaints(): readonly (readonly string[])[] {
    return this.#services.map((service) => service?.complaints ?? [])
  }

  /** SIGKILL for the next, which starts again. Requests that are under way have no answer. */
  async killNext(): Promise<void> {
    const index = this.#kills++ % this.#services.length
    const victim = this.#services[index]
    this.#services[index] = undefined
    if (this.urls().length === 0) this.#gate.close()
    await victim?.kill('SIGKILL')
    await this.#startAt(index)
    this.#gate.open()
  }

  /** Stops them as an operator does; returns their exit codes. */
  async stop(): Promise<readonly (number | null | undefined)[]> {
    return Promise.all(this.#services.map((service) => service?.kill('SIGTERM')))
  }

  async #startAt(index: number): Promise<void> {
    const options = { timeoutMs: START_TIMEOUT_MS }
    this.#services[index] = await KillableService.start(this.#environment, [], options)
  }
}
