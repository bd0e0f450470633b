/**
 * After the killing: everything still owed is let go, by a stopped clock that is turned until nothing is due any more.
 */
import { sleep } from './moments.ts'
import type { Partners } from './partners.ts'
import type { Server } from './server.ts'

type Listed = { counts: Record<string, number>; owed: { id: string; state: string; note?: string }[] }
const longest = 60

/** What was put aside for a person is sent again, as a person would, and also arrives. */
export async function drain(server: Server, partners: Partners, findings: string[]): Promise<[string, string][]> {
  await server.stop()
  partners.mend()
  let now = new Date(Date.now() + 2 * 3_600_000)
  server.spawn(now)
  await server.ready()
  let resent = 0
  for (let turn = 1; ; turn++) {
    now = new Date(now.getTime() + 3_600_000)
    await turnTo(server, now)
    const { counts, owed } = JSON.parse(await server.reconnect('owed', '--json')) as Listed
    const parked = owed.filter(({ state }) => state === 'parked')
    if (parked.length === 0 && counts.due === 0 && counts.sending === 0) {
      return [
        ['parked for a person, then sent again', String(resent)],
        ['left due or sending', '0'],
      ]
    }
    if (turn === longest) {
      findings.push(`still owed after ${longest} hours: ${JSON.stringify(counts)}, such as ${JSON.stringify(owed[0])}`)
      return [['left due or sending', `${counts.due} and ${counts.sending}`]]
    }
    findings.push(...parked.filter(({ note }) => !note).map(({ id }) => `message ${id} is parked without a reason`))
    const work = JSON.parse(await server.reconnect('work', '--json')) as unknown
    for (const { id } of parked) if (!JSON.stringify(work).includes(id)) findings.push(`message ${id} is parked without a work item`)
    for (let n = 0; n < parked.length; n += 2) {
      await Promise.all(parked.slice(n, n + 2).map(({ id }) => server.reconnect('resend', id)))
      resent += Math.min(2, parked.length - n)
    }
  }
}

async function turnTo(server: Server, to: Date) {
  for (let tries = 1; ; tries++) {
    const answer = await fetch(`${server.url}/clock`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ to: to.toISOString() }),
    })
    const text = await answer.text()
    if (answer.ok) return
    if (tries === 5) throw new Error(`the clock does not turn: ${answer.status} ${text.slice(0, 300)}`)
    await sleep(200)
  }
}
