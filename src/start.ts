/**
 * `node src/start.ts ./node.ts [arguments]`: runs an entry point with compiled code kept between starts. Stripping the types of
 * every file costs about half a second; from the second start on, it is read instead.
 */
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

const [entry] = process.argv.splice(2, 1)
if (!entry) throw new Error('say which entry point to start: node src/start.ts ./node.ts')
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/reconnect-exchange', import.meta.url)))
await import(new URL(entry, import.meta.url).href)
