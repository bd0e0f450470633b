/**
 * The simulated partners, each with its way of answering and the time it takes. Sound View is slow, so that somebody is chased.
 */

import type { PartnerId } from './directory.ts'
import type { Step } from './office.ts'

const last = (workingDays: number, time: string, say: Step['say']): Step => ({ say, after: 'last', workingDays, time })
const release = (workingDays: number, time: string, say: Step['say']): Step => ({ say, after: 'release', workingDays, time })

const accepted = { status: 'accepted', businessStatus: 'accepted' } as const
const started = { status: 'in-progress', businessStatus: 'in-progress' } as const
const booked = { status: 'in-progress', businessStatus: 'appointment-booked' } as const
const attended = { status: 'in-progress', businessStatus: 'attended' } as const
const registered = { status: 'completed', businessStatus: 'registered' } as const
const engaged = { status: 'completed', businessStatus: 'engaged' } as const
const supported = { status: 'completed', businessStatus: 'supported' } as const

export const stepsOf: Readonly<Record<PartnerId, readonly Step[]>> = {
  'elvet-surgery': [last(1, '10:40', accepted), last(1, '14:05', started), last(2, '11:20', registered)],
  'sound-view': [last(5, '16:30', accepted), last(1, '09:50', started), last(3, '12:10', registered)],
  'wear-recovery': [last(1, '11:10', accepted), last(1, '15:30', booked), release(1, '10:00', attended), release(8, '15:00', engaged)],
  'durham-probation': [last(1, '13:15', accepted), last(1, '09:20', started), release(3, '16:00', supported)],
  'reconnect-south-west': [last(2, '10:20', accepted), release(1, '11:00', supported)],
  'er-north-east': [last(1, '09:45', accepted), last(2, '13:30', started), release(4, '14:40', engaged)],
}

/** A name, or words with names in them, without '(test)': the page and the terminal say once that everything is made up. */
export const shortName = (words: string): string => words.replaceAll(' (test)', '')
