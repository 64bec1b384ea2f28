import { type AskingCall, QueryLimits } from '../../../src/modules/rows/limits/query-limits.ts'

export const DAY_MS = 86_400_000
/** The time of `limitsOf`. */
export const clock = { nowMs: 1_700_000_000_000 }

export function limitsOf(queryLimits: { running: number; queued: number; bytesPerDay: number }) {
  return new QueryLimits({ ambient: { nowMs: () => clock.nowMs }, queryLimits })
}

export function callOf(name: string, signal = new AbortController().signal): AskingCall {
  const isAddress = name.startsWith('10.')
  return {
    principal: isAddress ? { kind: 'anonymous' } : { kind: 'key', name, scopes: null },
    request: { clientAddress: isAddress ? name : '10.9.9.9' } as AskingCall['request'],
    closed: signal,
  }
}

/** Work that ends when it is told to. */
export function held() {
  let end: (error?: Error) => void = () => undefined
  const ended = new Promise<void>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve() : reject(error))
  })
  let begun = 0
  const work = async () => {
    begun++
    await ended
  }
  return { work, end, begun: () => begun }
}

export const refusal = { code: 'quota-exceeded' }
