/**
 * “Who we have told about you”: for the person, in plain words, from what the audit says.
 */

import type { Category } from '../domain/categories.ts'
import type { Service } from '../domain/directory.ts'
import type { ReasonCode } from '../domain/reasons.ts'
import { andList, type Block, type Document, dayOf, heading, list, paragraph, sentence } from './document.ts'
import { whyKept, yours } from './plain.ts'

export type Happened = {
  /** Instant. */
  at: string
  how: 'sent' | 'perhaps' | 'waiting' | 'read' | 'stopped' | 'document'
  categories: readonly Category[]
  /** Why it could be told: an agreement and when it was given, another law, or nothing known. */
  why: { agreedOn?: string } | { law: string } | undefined
}
export type Account = {
  person: string
  service: Pick<Service, 'name' | 'contact'>
  /** Instant it was made. */
  at: string
  told: readonly { name: string; happened: readonly Happened[] }[]
  kept: readonly { name: string; everything?: ReasonCode; items: readonly { categories: readonly Category[]; why: ReasonCode }[] }[]
}

export function accountPage({ person, service, at, told, kept }: Account): Document {
  return {
    title: 'Who we have told about you',
    about: [`For ${person}`, `From ${service.name}, ${dayOf(at)}`],
    blocks: [
      paragraph(
        'Each time we tell somebody something about you, we write it down. We also write down when they look at it. This is that list.',
      ),
      heading('Who was told'),
      ...(told.length ? told.flatMap(toldBlocks) : [paragraph('We have not told anybody anything about you.')]),
      heading('What we kept back'),
      ...(kept.length ? kept.flatMap(keptBlocks) : [paragraph('There is nothing that we kept back.')]),
      paragraph('The people we told can not see what we kept back. They can not see that we kept anything back.'),
      heading('What you can do'),
      ...list(
        'You can ask us what we hold about you. You can have a copy. It is free.',
        'You can change your mind about who we tell, at any time. Just tell your worker. You do not have to write it down.',
        'If you change your mind, we stop at once. We can not take back what somebody already knows.',
        'If something here is wrong, tell us and we will look at it with you.',
        'Saying no does not change your sentence, your licence or when you are released.',
      ),
      heading('How to reach us'),
      ...list(...contactLines(service)),
      heading('If you are not happy'),
      paragraph(
        'Please tell us first, so that we can try to put it right. You can also complain to the Information Commissioner. They make sure that people’s information is looked after. It is free.',
      ),
      // The ICO's own pages: “How you can contact us” and “Make a complaint”.
      ...list('Phone: 0303 123 1113', 'Website: ico.org.uk/make-a-complaint'),
      heading('What is not in this list'),
      paragraph(
        'Now and then the law lets us tell somebody in order to keep a person safe. If it would be dangerous to show that here, it is left out. You can ask us about it.',
      ),
    ],
  }
}

function toldBlocks({ name, happened }: Account['told'][number]): Block[] {
  return [
    heading(name, 3),
    {
      kind: 'table',
      caption: `What ${name} was told, the newest first.`,
      head: ['When', 'What happened', 'Why'],
      rows: happened.map((one) => [dayOf(one.at), whatHappened(one), whyTold(one)]),
    },
  ]
}

function whatHappened({ how, categories }: Happened): string {
  const what = categories.length ? categories.map((category) => `\n• ${yours[category]}`).join('') : ' nothing about you.'
  switch (how) {
    case 'sent':
      return `We told them:${what}`
    case 'perhaps':
      return `We tried to tell them this. We do not know if they saw it:${what}`
    case 'waiting':
      return `We put this where they can read it:${what}`
    case 'read':
      return 'They looked at what we told them.'
    case 'document':
      return `We gave them a paper about:${what}`
    case 'stopped':
      return 'We told them to stop. We told them nothing about you.'
  }
}

function whyTold({ how, why }: Happened): string {
  if (how === 'stopped') return 'You changed your mind, or they are not needed any more.'
  if (why && 'law' in why) return `The law let us do this without asking you: ${why.law}.`
  if (!why) return ''
  return why.agreedOn ? `You agreed to it on ${dayOf(why.agreedOn)}.` : 'You agreed to it.'
}

function keptBlocks({ name, everything, items }: Account['kept'][number]): Block[] {
  if (everything) return [heading(name, 3), paragraph(`We told them nothing. ${whyKept[everything]}`)]
  return [
    heading(name, 3),
    {
      kind: 'table',
      caption: `What ${name} was not told.`,
      head: ['What', 'Why'],
      rows: items.map(({ categories, why }) => [
        sentence(categories.length ? andList(categories.map((category) => yours[category])) : 'something that has no label yet'),
        whyKept[why],
      ]),
    },
  ]
}

/** A service that left its contact out of the directory has to write it in by hand. */
function contactLines({ name, contact }: Account['service']): string[] {
  const { phone, email, address } = contact ?? {}
  return [
    `Your worker, or anybody at ${name}`,
    `Phone: ${phone ?? '................................ (to be filled in by the service)'}`,
    ...(email ? [`E-mail: ${email}`] : []),
    ...(address ? [`Write to: ${address}`] : []),
  ]
}
