/**
 * When it is killed: at any moment, and more often at those where a weak point would show.
 */
import { statSync } from 'node:fs'
import type { Dice } from './dice.ts'
import { type Moments, sleep } from './moments.ts'
import type { Server } from './server.ts'

export const times = {
  any: 'at any moment',
  acknowledged: 'right after an acknowledgement',
  committing: 'while requests are being written',
  syncing: 'while a commit is on its way to the disk',
  claimed: 'between claiming a message and writing down how it went',
  answered: 'right after a partner answered',
  starting: 'while starting',
  recovering: 'while it recovers from the kill before, twice',
} as const
export type Time = keyof typeof times

/** A life may last this long before it has done the work it is given; then it ends all the same. */
const longestLifeMs = 3_000

/**
 * Lets it work, kills it once, and starts it again. The server is up before and after.
 *
 * @param done how much it has acknowledged
 */
export async function strike(server: Server, moments: Moments, dice: Dice, time: Time, done: () => number): Promise<void> {
  const kill = () => {
    gone = server.kill()
  }
  let gone: Promise<void> | undefined
  const enough = done() + dice.between(0, 25)
  for (const end = performance.now() + longestLifeMs; done() < enough && performance.now() < end; ) await sleep(5)
  if (time === 'any') await sleep(dice.between(0, 400))
  const soon = dice.between(0, 9)
  const later = async (moment: 'sent' | 'arrived') => {
    await moments.next(moment, 1_500, () => undefined)
    if (soon > 0) await sleep(soon)
    kill()
  }
  if (time === 'acknowledged' || time === 'answered') await moments.next(time, 1_500, kill)
  else if (time === 'committing') await later('sent')
  else if (time === 'claimed') await later('arrived')
  else if (time === 'syncing') {
    await moments.next('sent', 1_500, () => undefined)
    await written(server.files.wal, 1_500)
    kill()
  } else kill()
  await gone
  if (time === 'starting') {
    server.spawn()
    await sleep(dice.between(50, 1.2 * Math.max(...server.startMs.slice(-5), 400)))
    await server.kill()
  }
  // The log is read back and its index written anew before anything else: that is cut short, and then the same once more.
  if (time === 'recovering') {
    for (let times = 0; times < 2; times++) {
      server.spawn()
      await written(server.files.shm, 10_000)
      await server.kill()
    }
  }
  server.spawn()
  await server.ready()
}

/**
 * Looks at a file without a pause until it is written to (a commit writes the log, then waits for the disk), and comes back in that turn.
 * After `mostMs` without, all the same.
 */
async function written(file: string, mostMs: number): Promise<void> {
  const look = () => statSync(file, { bigint: true, throwIfNoEntry: false })?.mtimeNs
  const before = look()
  for (const end = performance.now() + mostMs; performance.now() < end && look() === before; )
    await new Promise((done) => setImmediate(done))
}
