import { whyNoStore } from './store-program.ts'

// Before anything reads it. Without a server the tests run on a folder, as they do elsewhere.
if (whyNoStore('weed') === undefined) process.env['TEST_STORE'] ??= 's3'
