/**
 * Whether what was kept then is still good for so long. What a clock kept that was ahead is not:
 * it would be until that time has come.
 */
export function isFresh(atMs: number, lifeMs: number, nowMs: number): boolean {
  const ageMs = nowMs - atMs
  return ageMs >= 0 && ageMs < lifeMs
}
