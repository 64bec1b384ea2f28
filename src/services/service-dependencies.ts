import type { Dumps } from './dump/dumps.ts'
import type { UploadDependencies } from './upload.ts'

/** Everything that the API calls on. */
export type ServiceDependencies = UploadDependencies & { readonly dumps: Dumps }
