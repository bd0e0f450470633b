/**
 * Random events in random order, with crashes at any call, and after each step the ten invariants of domain/closed-loop.md C7 hold:
 * `test/model/invariants.ts`, asked of what can be seen from outside. What can happen: `test/model/commands.ts`.
 *
 * The same lives each time, so that what fails is what was changed. `MODEL_SECONDS=600` for others, never seen before, so long;
 * `MODEL_SEED` and `MODEL_PATH` for one run again. `MODEL_SAYS=1` prints what happened.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'vitest'
import { asProcess, inMemory } from '../model/gate.ts'
import { dice, life, live, type Step, step, tally } from '../model/life.ts'

const { MODEL_SECONDS, MODEL_SEED, MODEL_PATH } = process.env
const seconds = Number(MODEL_SECONDS ?? 60)
const usual = { seed: 20_261_125, numRuns: 40 }
const chosen = MODEL_SEED ? { seed: Number(MODEL_SEED), path: MODEL_PATH ?? '' } : MODEL_SECONDS ? {} : usual

test('the ten invariants hold after each of any events, whatever crashes in between', { timeout: (seconds + 180) * 1_000 }, async () => {
  const random = Math.random
  try {
    await fc.assert(
      fc.asyncProperty(life, async ({ begins: at, dice: seed, ...what }) => {
        Math.random = dice(seed)
        await live((line) => inMemory(line, at), at, what)
      }),
      {
        numRuns: 100_000,
        interruptAfterTimeLimit: seconds * 1_000,
        markInterruptAsFailure: false,
        // A broken copy need not be made small.
        endOnFailure: process.env.MODEL_FIRST !== undefined,
        ...chosen,
      },
    )
  } finally {
    Math.random = random
    if (process.env.MODEL_SAYS) console.log(Object.fromEntries([...tally].sort()))
  }
})

/** Steps that a process can be asked to take as well: its clock is never late. */
const inProcess = fc.array(step, { minLength: 24, maxLength: 24, size: 'max' })

test('the same, of the gateway as it is run: a process on a file, killed with SIGKILL, and asked over HTTP', {
  timeout: 240_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'model-'))
  const seed = Number(process.env.MODEL_PROCESS_SEED ?? (MODEL_SECONDS ? (performance.timeOrigin % 1e9) | 0 : 592_700_150))
  const at = '2026-08-28T09:00:00.000Z'
  const steps = (fc.sample(inProcess, { numRuns: 1, seed })[0] as Step[]).map((one, n) => ({
    ...one,
    // Killed every fifth time: while at work, or as a partner is sent something.
    crash:
      n % 5 === 4 ? { how: n % 2 ? ('partner' as const) : { calls: (n * 7) % 40, after: false }, again: n % 3 > 0, late: false } : null,
  }))
  try {
    await live((line) => asProcess(line, at, folder), at, { releases: [29, 85], steps })
  } catch (error) {
    throw new Error(`MODEL_PROCESS_SEED=${seed}`, { cause: error })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
