/**
 * What every step of the journey works with: handed in by an entry point, so that a test can hand in its own.
 */
import type { Resource } from '@medplum/fhirtypes'
import type { Adapter } from '../adapter.ts'
import type { Channel } from '../channel.ts'
import type { HmppsApi } from '../channels/hmpps-api.ts'
import type { Directory } from '../domain/directory.ts'
import type { LookPace } from '../domain/look-pace.ts'
import type { SignOffs } from '../domain/sign-off.ts'
import type { Document } from '../pages/document.ts'
import type { Database } from '../store/database.ts'
import type { Owed } from '../store/owed.ts'

export type Clock = () => Date

export type Exchange = {
  database: Database
  now: Clock
  directory: () => Directory
  adapters: ReadonlyMap<string, Adapter>
  channels: ReadonlyMap<string, Channel>
  fetch: typeof globalThis.fetch
  log: Log
  /** Which mappings a guardian has signed; absent: nobody asks. */
  signOffs?: () => SignOffs
  /** Where partners answer and messages say they come from. */
  publicUrl: string
  /** Asked before a commit that owes this partner something: a free hand for it, if there is one. Absent: nobody sends from here. */
  take?: (partner: string) => Promise<Hand | undefined>
  /** Where what a thin event of HMPPS does not say can be looked up; absent: a person looks. */
  hmpps?: HmppsApi
  /** How often it is asked about somebody whom no event was about; absent: as usual. */
  lookPace?: LookPace
  /** Called after a commit that left something to be looked up. */
  look?: () => void
  /** Called after a commit that owes these partners something. */
  wake: (partners: readonly string[]) => void
}

/** Kept for one message: it is leased in the commit that owes it, and then sent, or else let go. */
export type Hand = { leaseUntil: string; send(message: Owed): void; letGo(): void }

/** Codes, counts and ids only: nobody's details. */
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  event: string,
  fields?: Record<string, string | number | boolean | undefined>,
) => void

/** What goes back to a caller. `text`: the JSON of the body, where it is written already. */
export type Answer = {
  status: number
  headers?: Record<string, string>
  body?: Resource
  text?: string
  /** The same for a person to read, where it can be had as HTML or PDF. */
  page?: Document
}

/** An answer that goes out as it is written: parsed only for whoever looks into it (a batch, `_pretty`). */
export const asWritten = (text: string, headers: Record<string, string> = {}): Answer => ({
  status: 200,
  headers,
  text,
  get body() {
    return JSON.parse(text) as Resource
  },
})
