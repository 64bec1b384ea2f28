import { ALREADY_EXISTS, NOT_FOUND, type ProblemRows } from './problem-row.ts'

/** Datasets: queries of snapshots, frozen. */
export const DATASET_PROBLEMS = {
  'dataset-not-found': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'Dataset not found',
    meaning: 'There is no dataset of this name, or it has no such version.',
    remedy:
      'GET /v1/datasets lists all datasets, and /v1/datasets/{dataset}/versions the versions.',
    retry: 'no',
  },
  'dataset-gone': {
    status: 410,
    iceberg: NOT_FOUND,
    title: 'Dataset gone',
    meaning:
      'The dataset has expired or was deleted. Its rows are gone, its `card` says what it was.',
    remedy: 'Ask for it again with POST /v1/datasets, as the `card` describes it.',
    retry: 'no',
  },
  'dataset-name-taken': {
    status: 409,
    iceberg: ALREADY_EXISTS,
    title: 'Dataset name taken',
    meaning:
      'The name has a dataset of somebody else: one that was published, or one that lives. Only ' +
      'who owns that makes the next version of it.',
    remedy: 'Choose another name, or none; or ask its owner.',
    retry: 'no',
  },
  'dataset-not-ready': {
    status: 409,
    iceberg: NOT_FOUND,
    title: 'Dataset not ready',
    meaning: 'The rows of the dataset are not there yet, or making them failed.',
    remedy: 'Its `status_url` tells how far it is, and why it failed if it did.',
    retry: 'yes',
  },
  'dataset-cancelled': {
    status: 409,
    iceberg: ALREADY_EXISTS,
    title: 'Dataset cancelled',
    meaning: 'Making the rows of the dataset was cancelled before it was ready.',
    remedy: 'Ask for it again: it is a new version then.',
    retry: 'yes',
  },
  'dataset-source-changed': {
    status: 409,
    iceberg: NOT_FOUND,
    title: 'Dataset source changed',
    meaning:
      'A table was read to other rows when the rows of the dataset were to be made than when it ' +
      'was asked for: its name mapping, schema or snapshot is another one.',
    remedy: 'Ask for it again: it is a new version then.',
    retry: 'yes',
  },
  'dataset-published': {
    status: 409,
    iceberg: ALREADY_EXISTS,
    title: 'Dataset published',
    meaning: 'The dataset is published, and may be cited: it is deleted only by who says so.',
    remedy: 'Send the request again with `confirm`, which is the name of the dataset.',
    retry: 'no',
  },
  'dataset-immutable': {
    status: 403,
    iceberg: { status: 403, type: 'ForbiddenException' },
    title: 'Dataset immutable',
    meaning:
      'The namespace `moraine$datasets` has the hidden tables of datasets, which nobody makes, ' +
      'changes, renames or drops.',
    remedy: 'Clone the table and change the clone; or make another dataset.',
    retry: 'no',
  },
} as const satisfies ProblemRows
