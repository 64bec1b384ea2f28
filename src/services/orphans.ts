import type { Dependencies } from './dependencies.ts'

/** Deletes files that nothing names. What cannot be deleted stays an orphan, which harms no reader. */
export async function deleteQuietly(
  deps: Pick<Dependencies, 'objects'>,
  locations: readonly string[],
): Promise<void> {
  await Promise.allSettled(locations.map((location) => deps.objects.delete(location)))
}
