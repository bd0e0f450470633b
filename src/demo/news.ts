/**
 * What a message is about, as whoever reads it would say: a new request, a release, a reminder. Told from the message and the one before
 * it about the same handover, by the partner's eyes: nothing else is looked at.
 */
import type { Bundle, Observation, Resource, ServiceRequest, Task } from '@medplum/fhirtypes'
import { dayWords } from '../domain/words.ts'

export type News = {
  kind: 'new' | 'change' | 'reminder' | 'hold' | 'ended' | 'stop'
  /** After the partner's name: 'is told that Leah Okafor has left HMP Low Newton'. */
  sentence: string
  /** In the inbox: 'Has left HMP Low Newton'. */
  heading: string
}

/** @param pulled the partner fetched it itself */
export function newsIn(bundle: Bundle, before: Bundle | undefined, person: string, pulled: boolean): News {
  const said = (kind: News['kind'], told: string, fetched: string, heading: string): News => ({
    kind,
    sentence: pulled ? fetched : told,
    heading,
  })
  const request = find(bundle, 'ServiceRequest') as ServiceRequest | undefined
  if (request?.status === 'revoked')
    return said(
      'stop',
      `is told to stop: the agreement about ${person} has ended`,
      `finds that the plan for ${person} is no longer there`,
      'Please stop: the agreement to share has ended',
    )
  if (request?.status === 'completed' || !bundle.entry?.length)
    return said(
      'ended',
      `is told that RECONNECT’s support of ${person} has ended`,
      `finds that the plan for ${person} is no longer there`,
      pulled ? 'The plan is no longer there' : 'RECONNECT’s support has ended',
    )
  if (!before)
    return said(
      'new',
      `is asked to help ${person}`,
      `fetches its plan for ${person}`,
      pulled ? 'New request, fetched by the team' : 'New request',
    )
  const again = (told: string, heading: string) =>
    said('change', `is told ${told}`, `fetches its plan for ${person} again and sees ${told}`, heading)
  if (isHeld(bundle) && !isHeld(before))
    return said(
      'hold',
      `is told to wait, because ${person} is back in custody`,
      `fetches its plan for ${person} again and sees that it is on hold: back in custody`,
      'On hold: back in custody',
    )
  const [now, then] = [stayIn(bundle), stayIn(before)]
  if (now.left && now.left !== then.left) return again(`that ${person} has left ${now.place}`, `Has left ${now.place}`)
  if (then.left && !now.left) return again(`that ${person} is back in custody`, 'Back in custody')
  if (now.expected && now.expected !== then.expected) {
    const day = dayWords(now.expected)
    return again(`${person}’s new release date, ${day}`, `New release date: ${day}`)
  }
  if (contentOf(bundle) === contentOf(before))
    return said('reminder', `is reminded about ${person}`, `looks at its plan for ${person} again`, 'Reminder: please answer')
  return again(`of a change for ${person}`, 'Something changed')
}

type Stay = { place: string; left?: string; expected?: string }

/** The stay in custody that a message tells of. */
function stayIn(bundle: Bundle): Stay {
  const stay = all(bundle).find((one): one is Observation => one.resourceType === 'Observation' && isCustody(one))
  const part = (code: string) => stay?.component?.find((one) => hasCode(one, code))
  const left = stay?.effectivePeriod?.end?.slice(0, 10)
  const expected = part('expected-release-date')?.valueDateTime?.slice(0, 10)
  return {
    place:
      part('establishment')?.valueCodeableConcept?.text ?? part('establishment')?.valueCodeableConcept?.coding?.[0]?.display ?? 'custody',
    ...(left ? { left } : {}),
    ...(expected ? { expected } : {}),
  }
}

/** The day of release that is told: the day the person left, else the expected one. */
export const releaseIn = (bundle: Bundle): string | undefined => {
  const { left, expected } = stayIn(bundle)
  return left ?? expected
}

/** What is said about the person: not when it was sent, nor where the handover stands. */
const contentOf = (bundle: Bundle): string =>
  JSON.stringify(
    all(bundle)
      .filter(({ resourceType }) => resourceType !== 'MessageHeader' && resourceType !== 'Task')
      .map(({ meta: _meta, ...rest }) => rest),
  )

const isHeld = (bundle: Bundle): boolean => (find(bundle, 'Task') as Task | undefined)?.status === 'on-hold'
const all = (bundle: Bundle): Resource[] => (bundle.entry ?? []).flatMap(({ resource }) => resource ?? [])
const find = (bundle: Bundle, type: Resource['resourceType']) => all(bundle).find(({ resourceType }) => resourceType === type)
export const isCustody = (one: Observation): boolean => hasCode(one, 'custody')
const hasCode = ({ code }: Pick<Observation, 'code'>, wanted: string): boolean => code.coding?.some((one) => one.code === wanted) === true
