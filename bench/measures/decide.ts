/**
 * What the consent lets one partner be told of sixty resources, in this process. Beside it the least that could be asked: whether the
 * labels of each are in a set.
 */

import { adapters } from '../../adapters/index.ts'
import type { Source } from '../../src/domain/case.ts'
import { allCategories, categories } from '../../src/domain/categories.ts'
import { decide } from '../../src/domain/consent.ts'
import { consentOf, partners, usual } from '../../test/fixtures/case-bundle.ts'
import { partnerKinds } from '../case.ts'
import type { Measure } from '../stage.ts'

const facts = 60

const decisions: Measure = async ({ size, say }) => {
  const now = new Date()
  const at = new Date(now.getTime() - 60_000).toISOString()
  const until = new Date(now.getTime() + 200 * 86_400_000).toISOString().slice(0, 10)
  const consents = [
    { ...consentOf({ patient: 'Patient/1', id: '2', at, until, agreed: usual }), meta: { versionId: '1', lastUpdated: at } },
  ]
  const sources = Array.from({ length: facts }, (_, n): Source => {
    const category = allCategories[n % allCategories.length] as Source['categories'][number]
    return { ref: `Condition/${n}`, categories: [category], confidentiality: categories[category].confidentiality }
  })
  const recipients = Object.values(partners).map((partner) => {
    const kind = partnerKinds[partner] as string
    return { recipient: { partner, kind }, purposeOfUse: adapters.get(kind)?.mapping.purposeOfUse ?? [] }
  })
  const ofOne = (n: number): number => {
    const { permit } = decide({ consents, now, ...(recipients[n % recipients.length] as (typeof recipients)[number]) })
    return sources.filter((source) => permit(source).permitted).length
  }
  const allowed = new Set<string>(['identity', 'contact', 'medication'])
  const bare = () => sources.filter((source) => source.categories.every((category) => allowed.has(category))).length
  if (![0, 1, 2, 3].some((n) => ofOne(n) > 0 && ofOne(n) < facts)) throw new Error('the consent permits everything or nothing')
  const ours = microseconds(ofOne, size.seconds)
  say({ name: `decide(), one partner, ${facts} resources`, unit: 'µs', ours, bare: microseconds(bare, size.seconds), aim: '< 20' })
}
export default decisions

/** The median of a hundred rounds, the first not counted: others work on this machine too. */
function microseconds(work: (n: number) => number, seconds: number): number {
  const rounds: number[] = []
  let done = 0
  const began = performance.now()
  while (rounds.length < 100 && (rounds.length < 5 || performance.now() - began < seconds * 1000)) {
    const start = performance.now()
    const each = 200
    for (let n = 0; n < each; n++) done += work(n)
    rounds.push(((performance.now() - start) * 1000) / each)
  }
  if (done === 0) throw new Error('nothing was done')
  return rounds.slice(1).sort((a, b) => a - b)[Math.floor((rounds.length - 1) / 2)] as number
}
