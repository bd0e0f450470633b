/**
 * How an episode ends (domain/closed-loop.md C5), with the code probation systems have for it where there is one.
 *
 * The codes are those of HMPPS Refer and Monitor (domain/hmpps.md 8); which goes with which is ours. None of them reads as a failure to comply: RECONNECT is
 * voluntary, and probation is never told what would trigger enforcement.
 */
export const closures = {
  'needs-met': { words: 'health needs are met', hmpps: 'EAR' },
  'engaged-with-services': { words: 'engaged with the services that go on', hmpps: 'EAR' },
  'six-months-reached': { words: 'six months after release are over' },
  'extended-then-closed': { words: 'the extension is over' },
  'declined-support': { words: 'the person no longer wants support' },
  'lost-contact': { words: 'contact was lost' },
  'moved-out-of-area': { words: 'moved out of the area', hmpps: 'MOV' },
  transferred: { words: 'another RECONNECT service has taken over', hmpps: 'NEE' },
  'stepped-up': { words: 'Enhanced RECONNECT has taken over', hmpps: 'NEE' },
  'returned-to-custody': { words: 'back in custody for long', hmpps: 'RET' },
  'sentence-ended': { words: 'the sentence ended', hmpps: 'SEE' },
  died: { words: 'the person has died', hmpps: 'USE' },
  ineligible: { words: 'RECONNECT is not for this person, after assessment', hmpps: 'INE' },
  duplicate: { words: 'already being supported', hmpps: 'MIS' },
  error: { words: 'made in error', hmpps: 'MIS' },
  'needs-met-elsewhere': { words: 'needs are met another way', hmpps: 'NEE' },
} as const satisfies Record<string, { words: string; hmpps?: string }>

export type Closure = keyof typeof closures

/** Is this a way an episode ends? */
export const isClosure = (code: string): code is Closure => Object.hasOwn(closures, code)
