import type { Dumps } from './modules/dumps/dumps.ts'
import type { UploadDependencies } from './modules/files/upload.ts'

/** Everything that the API calls on. */
export type ServiceDependencies = UploadDependencies & { readonly dumps: Dumps }
