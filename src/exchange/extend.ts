/**
 * `ServiceRequest/{id}/$extend`: support goes on beyond six months after release, in exceptional circumstances, where ending it would harm
 * the person's health. Approved by a supervisor, before the end it moves; again at each review.
 *
 * @see domain/reconnect.md T4; closed-loop.md C1 row 17
 */
import type { Request } from '../access/caller.ts'
import { londonDate, planEnd, today } from '../domain/calendar.ts'
import { type ReferralDecision, withDecision } from '../domain/decisions.ts'
import { isAnother } from '../domain/override.ts'
import { Refusal, refuse } from '../fhir/outcome.ts'
import type { Answer, Exchange } from './exchange.ts'
import { mustBeIn, onReferral } from './on-referral.ts'
import { fault, pathOf, reader } from './parameters.ts'
import { serviceShelf } from './situation.ts'

export function extendSupport(exchange: Exchange, request: Request, id: string, body: unknown): Promise<Answer> {
  const said = extensionSaid(body)
  return onReferral(exchange, request, 'extend', id, body, (change, { request: referral, phase, facts }) => {
    mustBeIn(phase, ['post-release', 'extended'])
    const { situation } = change
    const { ends } = planEnd(facts.released as string, facts.extendedUntil)
    if (today(situation.now) > ends)
      throw refuse(
        422,
        'business-rule',
        `Support ended on ${ends}: it is extended before its end, never after. Refer the person again.`,
        pathOf('until'),
      )
    if (said.until <= ends) throw refuse(422, 'business-rule', `Support already goes on until ${ends}: name a later day.`, pathOf('until'))
    change.put(serviceShelf(situation.service.id), withDecision(referral, { ...said, at: situation.now.toISOString() }))
    const detail = { before: ends, until: said.until }
    change.audit({ action: 'extend', entity: `ServiceRequest/${id}`, detail: JSON.stringify(detail) })
  })
}

/** @throws Refusal 422 naming everything that is missing */
function extensionSaid(body: unknown): Omit<Extract<ReferralDecision, { kind: 'extension' }>, 'at'> {
  const { issues, text, one, someone } = reader(body)
  const until = londonDate(one('until')?.valueDate)
  if (!until) issues.push(fault('until', 'Say until which day support goes on (valueDate).'))
  const exceptional = text('exceptional', true, 'Say what the exceptional circumstances are.')
  const detriment = text('detriment', true, 'Say how ending support at six months would harm the person’s health.')
  const [by, approver] = [someone('by'), someone('approver')]
  if (by.name && approver.name && !isAnother(by, approver))
    issues.push({
      code: 'business-rule',
      text: 'Whoever asks for an extension does not approve it: a supervisor does.',
      expression: pathOf('approver'),
    })
  if (issues.length) throw new Refusal(422, issues)
  return { kind: 'extension', code: 'extended', until: until as string, reason: `${exceptional} ${detriment}`, by, approver }
}
