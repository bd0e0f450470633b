/**
 * The answer to a RECONNECT service that handed somebody over: that it arrived, that the person is taken on and then met, that they can not
 * be and why, or that we stopped as asked. It is owed like any message, to the partner the sender is in our directory, and says of the
 * person no more than what the navigator wrote for the sender.
 */
import type { Bundle, MessageHeader, ServiceRequest, Task } from '@medplum/fhirtypes'
import type { Partner } from '../domain/directory.ts'
import { type HandoverState, type RejectionReason, rejectionReasons } from '../domain/handover.ts'
import { messageEvents, ours, taskCode } from '../fhir/systems.ts'
import { newId } from '../store/random.ts'
import type { Change } from './change.ts'
import type { Understanding } from './consider.ts'
import { givesReason, outcomeOf } from './referral-answer.ts'
import { resourcesOf, type Situation, serviceShelf, tasksOf } from './situation.ts'
import { isReferralAnswer } from './task.ts'
import { identifierOn, isTransferIn, senderId, sentMessageId, sentTaskId } from './transferred-in.ts'

type Word = 'received' | 'accepted' | 'in-progress' | 'supported' | 'rejected' | 'cancelled'
const states: Readonly<Record<Word, HandoverState>> = {
  received: { status: 'received', businessStatus: 'acknowledged' },
  accepted: { status: 'accepted', businessStatus: 'accepted' },
  'in-progress': { status: 'in-progress', businessStatus: 'in-progress' },
  supported: { status: 'completed', businessStatus: 'supported' },
  rejected: { status: 'rejected', businessStatus: 'rejected' },
  // What the sender took back before it heard of us is cancelled already, under a name of its own.
  cancelled: { status: 'cancelled' },
}
const last: readonly (string | undefined)[] = ['rejected', 'supported', 'cancelled'] satisfies Word[]
/** How an answer is known in the outbox. */
const answerReason = 'answer-'

export function answerSender(change: Change, known: Understanding): void {
  for (const task of tasksOf(change.situation).filter((one) => isReferralAnswer(one) && isTransferIn(one))) {
    const now = takenOn(change, task, known)
    const partner = senderOf(change.situation, task)
    for (const word of toSay(change.situation, now, lastSaid(change.situation, task))) {
      if (partner) owe(change, now, partner, word)
      else
        change.ask({
          about: `sender-unknown:${task.id}`,
          reason: 'sender-unknown',
          words: `The service that handed this person over is no partner in the directory, so it can not be answered from here. Tell them: ${words[word]}`,
          task: task.id as string,
        })
    }
  }
}

/** What has to be said yet, in order. Yes and no are said once; the loop closes when the person was met. */
function toSay(situation: Situation, task: Task, said: string | undefined): Word[] {
  const word = wordFor(situation, task)
  if (last.includes(said)) return []
  // Who took it back before it heard of us waits for nothing.
  if (word === 'cancelled' && !situation.owed.some((row) => row.task === task.id && row.state === 'delivered')) return []
  const met =
    word === 'accepted' && resourcesOf(situation.record).some((one) => one.resourceType === 'Encounter' && one.status === 'finished')
  const first: Word[] = said === word || said === 'accepted' ? [] : [word]
  return [...first, ...(met ? (['in-progress', 'supported'] as const) : [])]
}

const words: Readonly<Record<Word, string>> = {
  received: 'it has arrived, and you are looking at it.',
  accepted: 'you have taken the person on.',
  'in-progress': 'you have met the person.',
  supported: 'you support the person.',
  rejected: 'you can not take the person on.',
  cancelled: 'you have stopped, as they asked.',
}

/** An accepted case is taken on: a plan, a worker by name and the person's agreement, all of this service's own making. */
function takenOn(change: Change, task: Task, known: Understanding): Task {
  if (task.status !== 'accepted' || known.missing.length > 0) return task
  const { situation } = change
  const done: Task = { ...task, status: 'completed', lastModified: situation.now.toISOString() }
  change.put(serviceShelf(situation.service.id), done)
  change.put(`referrer:${task.requester?.identifier?.value}`, done, '[]')
  return done
}

function wordFor({ record }: Situation, task: Task): Word {
  // Ended here before it was settled, or taken back by its sender.
  if (task.status === 'cancelled') return givesReason(task, 'ended') ? 'rejected' : 'cancelled'
  if (task.status === 'completed') return 'accepted'
  const outcome = outcomeOf(task)
  const referral = record.get(task.focus?.reference as string)?.body as ServiceRequest | undefined
  // Eligible, and it came to nothing before the person was taken on: they said no, or it ended otherwise.
  const over = referral && /^(revoked|completed|entered-in-error)$/.test(referral.status)
  return outcome === 'declined' || outcome === 'redirected' || over ? 'rejected' : 'received'
}

/** Why not, in a code its sender has for what a partner says: the navigator's, or what the rules of triage found. */
function whyNot(task: Task): { code: RejectionReason; text?: string } {
  const { coding = [], text } = task.statusReason ?? {}
  const turnedAway = /^(declined|redirected)$/.test(outcomeOf(task) ?? '')
  if (!turnedAway) return { code: 'other' }
  const said = coding.find(({ system }) => system === ours('referral-reason'))?.code ?? 'other'
  const code = Object.hasOwn(rejectionReasons, said) ? (said as RejectionReason) : (reasonFor[said] ?? 'other')
  return { code, ...(text ? { text } : {}) }
}
const reasonFor: Readonly<Record<string, RejectionReason>> = { 'under-18': 'not-eligible', 'released-too-long-ago': 'not-eligible' }

function lastSaid({ owed }: Situation, { id }: Task): string | undefined {
  const answers = owed.filter((row) => row.task === id && row.reason.startsWith(answerReason) && row.state !== 'void')
  return answers.at(-1)?.reason.slice(answerReason.length)
}

function senderOf({ directory }: Situation, task: Task): Partner | undefined {
  const sender = identifierOn(task, senderId)
  return [...directory.partners.values()].find(
    ({ kind, channel, ods, retired }) =>
      kind === 'reconnect-service' && !retired && (ods === sender || (channel.name === 'here' && `service.${channel.service}` === sender)),
  )
}

function owe(change: Change, task: Task, partner: Partner, word: Word): void {
  const { situation } = change
  const id = newId()
  const at = situation.now.toISOString()
  change.owe({
    id,
    partner: partner.id,
    task: task.id as string,
    reason: `${answerReason}${word}`,
    correlation: task.focus?.reference?.split('/')[1] as string,
    body: JSON.stringify(response(task, word, { id, at, name: situation.service.name, publicUrl: situation.publicUrl })),
    basis: '[]',
  })
  change.audit({
    action: 'owe',
    entity: `Task/${task.id}`,
    recipient: partner.id,
    basis: 'an answer to the service that handed the person over, without content',
    detail: JSON.stringify({ message: id, reason: `${answerReason}${word}`, told: [], withheld: [] }),
  })
}

const reasonOf = ({ code, text }: ReturnType<typeof whyNot>) => ({
  coding: [{ system: ours('rejection-reason'), code }],
  text: text ?? rejectionReasons[code],
})

function response(task: Task, word: Word, from: { id: string; at: string; name: string; publicUrl: string }): Bundle {
  const { status, businessStatus } = states[word]
  const theirs = identifierOn(task, sentTaskId) as string
  const header: MessageHeader = {
    resourceType: 'MessageHeader',
    id: newId(),
    eventCoding: { system: messageEvents, code: 'servicerequest-response', display: 'Service Request - Response' },
    source: { name: from.name, software: 'RECONNECT Exchange', endpoint: `${from.publicUrl}/fhir` },
    response: { identifier: identifierOn(task, sentMessageId) as string, code: 'ok' },
    focus: [{ reference: `urn:uuid:${theirs}` }],
  }
  const said: Task = {
    resourceType: 'Task',
    id: theirs,
    status: status as Task['status'] & string,
    intent: 'order',
    code: { coding: [{ system: taskCode, code: 'fulfill' }] },
    ...(businessStatus ? { businessStatus: { coding: [{ system: ours('handover-status'), code: businessStatus }] } } : {}),
    ...(word === 'rejected' ? { statusReason: reasonOf(whyNot(task)) } : {}),
  }
  return {
    resourceType: 'Bundle',
    id: from.id,
    type: 'message',
    timestamp: from.at,
    entry: [
      { fullUrl: `urn:uuid:${header.id}`, resource: header },
      { fullUrl: `urn:uuid:${theirs}`, resource: said },
    ],
  }
}
