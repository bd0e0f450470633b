/**
 * `npm run serve:worker` refuses what a Worker on this machine can not do, before it begins: not by answering 503 for ever.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test.each([
  [
    'a queue',
    { HMPPS_QUEUE_URL: 'https://sqs.test/1/q', HMPPS_QUEUE_CREDENTIALS_FILE: 'x' },
    /- HMPPS_QUEUE_URL can not be read by a Worker/,
  ],
  [
    'the External API',
    { HMPPS_API_URL: 'https://hmpps.test', HMPPS_API_KEY: 'k' },
    /- HMPPS_API_\w+ can not be used by a Worker on this machine/,
  ],
])('%s', (_, settings, words) => {
  const home = fileURLToPath(new URL('../../', import.meta.url))
  const { status, stderr, stdout } = spawnSync(process.execPath, ['scripts/serve-worker.ts'], {
    cwd: home,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, MASTER_KEY: btoa('k'.repeat(32)), ...settings },
  })
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toMatch(words)
})
