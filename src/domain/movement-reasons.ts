/**
 * What the prison system's reason codes for a movement say (NOMIS reference data, domain MOVE_RSN). Its keepers warn that the codes
 * change, so one that is not here is kept, changes nothing by itself and is shown to a person.
 *
 * @see hmpps.md 5, which names the HMPPS repositories each was read in
 */

/** What a way out of a prison means for the person. */
export type Leaving = 'release' | 'hospital' | 'immigration' | 'death' | 'escape'
/** What a way in means. */
export type Entering = 'recall' | 'remand' | 'sentence' | 'immigration' | 'transfer' | 'return' | 'recapture'

/** `unsure`: the code is also used for something else, so a person is asked. */
export type Reason<Meaning> = { means: Meaning; words: string; unsure?: true }

/** With movements of reason RELEASED; the other reasons speak for themselves. */
export const leaving: Readonly<Record<string, Reason<Leaving>>> = {
  CR: { means: 'release', words: 'conditional release' },
  AR: { means: 'release', words: 'automatic release' },
  CE: { means: 'release', words: 'release at the conditional date' },
  FR1: { means: 'release', words: 'release at a fixed point of the sentence' },
  FR2: { means: 'release', words: 'release at a fixed point of the sentence' },
  HD: { means: 'release', words: 'home detention curfew' },
  HE: { means: 'release', words: 'home detention curfew' },
  HR: { means: 'release', words: 'home detention curfew' },
  HU: { means: 'release', words: 'home detention curfew' },
  ECSL: { means: 'release', words: 'end of custody supervised licence' },
  PX: { means: 'release', words: 'parole' },
  PD: { means: 'release', words: 'release after recall' },
  D1: { means: 'release', words: 'release from a detention and training order' },
  D2: { means: 'release', words: 'release from a detention and training order' },
  BD: { means: 'release', words: 'immigration bail' },
  ECSLIRC: { means: 'immigration', words: 'end of custody supervised licence, to an immigration removal centre' },
  DD: { means: 'immigration', words: 'to an immigration removal centre, or deported' },
  DE: { means: 'immigration', words: 'to an immigration removal centre, or deported' },
  DL: { means: 'immigration', words: 'to an immigration removal centre, or deported' },
  DEIRC: { means: 'immigration', words: 'to an immigration removal centre' },
  ETR: { means: 'immigration', words: 'early removal' },
  HP: { means: 'hospital', words: 'to a psychiatric hospital' },
  HO: { means: 'hospital', words: 'to a hospital' },
  HQ: { means: 'hospital', words: 'to a hospital' },
  DEC: { means: 'death', words: 'died' },
  UAL: { means: 'escape', words: 'unlawfully at large' },
  UAL_ECL: { means: 'escape', words: 'unlawfully at large from end of custody licence' },
  ESCP: { means: 'escape', words: 'escaped' },
}

/** With movements of reason ADMISSION, and the code of any other way in. */
export const entering: Readonly<Record<string, Reason<Entering>>> = {
  L: { means: 'recall', words: 'licence revoked' },
  B: { means: 'recall', words: 'recalled from home detention curfew' },
  Y: { means: 'recall', words: 'recalled from a detention and training order' },
  // Its name says intermittent custody; prisons use it for recalls.
  '24': { means: 'recall', words: 'intermittent custody, widely used for a recall', unsure: true },
  ELR: { means: 'recall', words: 'recalled from end of custody licence' },
  ETRLR: { means: 'recall', words: 'recalled after early removal' },
  ETRRIE: { means: 'recall', words: 'recalled after early removal' },
  ETB: { means: 'recall', words: 'breach of the early removal scheme' },
  H: { means: 'recall', words: 'home leave failure' },
  // A release after recall on the way out; one HMPPS service lists it as a recall on the way in.
  PD: { means: 'recall', words: 'recall', unsure: true },
  N: { means: 'remand', words: 'unconvicted' },
  V: { means: 'remand', words: 'convicted, not sentenced' },
  I: { means: 'sentence', words: 'sentenced' },
  W: { means: 'sentence', words: 'sentenced' },
  '25': { means: 'sentence', words: 'sentenced' },
  '26': { means: 'sentence', words: 'sentenced' },
  E: { means: 'immigration', words: 'immigration detention' },
  INT: { means: 'transfer', words: 'transfer from another establishment' },
  TRNCRT: { means: 'transfer', words: 'transfer by way of a court' },
  TRNTAP: { means: 'transfer', words: 'transfer during a temporary absence' },
  T: { means: 'transfer', words: 'transfer from abroad' },
  A: { means: 'return', words: 'came back late from temporary absence by themselves' },
  U: { means: 'return', words: 'was brought back late from temporary absence' },
  RECA: { means: 'recapture', words: 'recaptured' },
}

/** The entry of a code, never one of an object's own words (`constructor`). */
export const reasonIn = <Meaning>(
  table: Readonly<Record<string, Reason<Meaning>>>,
  code: string | undefined,
): Reason<Meaning> | undefined => (code !== undefined && Object.hasOwn(table, code) ? table[code] : undefined)
