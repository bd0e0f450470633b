/**
 * `npm run reconnect -- <verb>`: what whoever is on call, an information-governance lead or a developer asks from a terminal.
 */
import { readFileSync } from 'node:fs'
import { adapters } from '../adapters/index.ts'
import { channels } from './channels/index.ts'
import { run } from './cli/run.ts'

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  readText: (path) => readFileSync(path, 'utf8'),
  adapters,
  channels,
  now: () => new Date(),
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
})
