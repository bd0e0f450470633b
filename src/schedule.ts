/**
 * Regular wake-ups on Node. They only wake: what is due stands in the database, so one that is late, repeated or skipped
 * changes nothing.
 */
import cron from 'node-cron'

/**
 * Runs `work` now and then as `when` says, never twice at a time.
 *
 * @param when a cron expression with seconds: every five seconds is a step of 5 in the first field
 * @param failed told what a run threw; the next one comes all the same
 * @returns ends it, when the run in hand is over
 */
export function wakeUp(when: string, work: () => Promise<unknown>, failed: (error: unknown) => void): () => Promise<void> {
  let running: Promise<void> | undefined
  const run = () => {
    running ??= work()
      .then(() => undefined, failed)
      .finally(() => {
        running = undefined
      })
    return running
  }
  // One that was missed under load is nothing to tell anybody: the next finds what is due.
  const task = cron.schedule(when, run, { suppressMissedWarning: true })
  void run()
  return async () => {
    await task.destroy()
    await running
  }
}
