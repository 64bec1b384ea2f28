import { jest } from '@jest/globals'

/** Does the work as if so much time had passed for this process, whatever the clocks say. */
export async function later<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const now = performance.now.bind(performance)
  const spy = jest.spyOn(performance, 'now').mockImplementation(() => now() + ms)
  try {
    return await work()
  } finally {
    spy.mockRestore()
  }
}
