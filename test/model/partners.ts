/**
 * The partners' end: how each behaves at the moment, and everything it really got, in order.
 */
import type { Recipient } from './agreement.ts'

export type Behaviour = 'takes' | 'is slow' | 'is slow, then busy' | 'is busy' | 'hangs up' | 'is away' | 'rejects' | 'knows it'
/** `from`: it was sent then at the earliest, and `at` at the latest. */
export type Arrival = { to: Recipient; key: string; text: string; from: string; at: string; said: number | 'nothing' }
/** What comes back: a status, or the line goes dead before (`away`) or after the message was read (`nothing`). */
export type Said = number | 'nothing' | 'away'

/** Their ids in the directory. */
export const idOf: Readonly<Record<Recipient, string>> = {
  practice: 'dene-surgery',
  recovery: 'wear-recovery',
  probation: 'tees-probation',
  enhanced: 'enhanced-tees',
  /** Reads, and is sent nothing. */
  wellbeing: 'dale-wellbeing',
  /** The other service of this gateway. */
  elsewhere: 'reconnect-elsewhere',
}
const recipients = Object.keys(idOf) as Recipient[]
export const recipientOf = (id: string): Recipient | undefined => recipients.find((one) => idOf[one] === id)
/** Can not tell a repeat from a second message. */
export const cannotDropRepeats: readonly Recipient[] = ['probation']

export function partners() {
  const behaves = new Map<Recipient, Behaviour>()
  const arrivals: Arrival[] = []
  const all = {
    behaves,
    arrivals,
    /** Called for each message as it arrives, before anybody answers. */
    onArrival: (_: Arrival): void => undefined,
    /** The line to a partner: what it is sent comes in here. */
    async arrive(id: string, key: string, text: string, at: string, from = at): Promise<Said> {
      const to = recipientOf(id) as Recipient
      const as = behaves.get(to) ?? 'takes'
      if (as === 'is away') return 'away'
      const said =
        ({ 'is busy': 503, 'is slow, then busy': 503, 'hangs up': 'nothing', rejects: 422, 'knows it': 409 } as const)[as as 'rejects'] ??
        200
      const arrival: Arrival = { to, key, text, from, at, said }
      arrivals.push(arrival)
      all.onArrival(arrival)
      // Meanwhile everything else goes on.
      if (as === 'is slow' || as === 'is slow, then busy')
        for (let turns = 0; turns < 40; turns++) await new Promise((done) => setImmediate(done))
      return said
    },
  }
  return all
}
export type Partners = ReturnType<typeof partners>

/** What they answer, as text: a BaRS receiver sends back what it was sent, or says why not. */
export const bodyFor = (said: number, text: string): string =>
  said < 300
    ? text
    : JSON.stringify({
        resourceType: 'OperationOutcome',
        issue: [{ severity: 'error', code: said === 409 ? 'duplicate' : 'processing' }],
      })
