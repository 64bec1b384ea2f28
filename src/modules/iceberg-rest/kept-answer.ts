import type { MutationOptions } from '../../catalog/replay-store.ts'

/** What a repeated request is answered from: small, for the metadata of a table or view is loaded anew. */
export type KeptAnswer =
  | { readonly kind: 'empty' }
  | { readonly kind: 'json'; readonly status: number; readonly value: unknown }
  | { readonly kind: 'table'; readonly tableUuid: string }
  | { readonly kind: 'view'; readonly viewUuid: string }
  | { readonly kind: 'metadata-file'; readonly location: string }

/** Keeps the answer to a request with an `Idempotency-Key`; without a key it keeps nothing. */
export interface AnswerKeeper {
  /** For the mutation that the answer tells of. */
  withEffect(answer: KeptAnswer): MutationOptions
  /** Of a request that turned out to change nothing. */
  withoutEffect(answer: KeptAnswer): Promise<void>
}
