/**
 * The report on a Bundle as a page for people.
 */
import type { CaseReport, Person, Prospect } from './case.ts'

export function casePage(report: CaseReport): string {
  const { kind, resources, on, faults, kept, referral, people } = report
  const what = kind === 'case' ? 'a case of a RECONNECT service' : 'a referral from outside'
  const lines = [
    `This is ${what}: ${resources} entries. Checked as if it came on ${on}, to an exchange that knows nobody. Nothing was kept or sent.`,
    '',
  ]
  if (faults.length) {
    lines.push('It would be refused, whole:', ...faults.map(({ where, what: words }) => `  ${where ? `${where}: ` : ''}${words}`))
    return `${lines.join('\n')}\n`
  }
  lines.push(
    `It would be kept: ${Object.entries(kept)
      .map(([type, count]) => `${count} ${type}`)
      .join(', ')}.`,
    '',
  )
  if (referral) lines.push(...referralLines(referral), '')
  if (people.some(({ partners }) => partners.length)) lines.push(...directoryLines(report), '')
  for (const person of people) lines.push(...personLines(person))
  return `${lines.join('\n').trimEnd()}\n`
}

function referralLines({ outcome, words, asks, signpost }: NonNullable<CaseReport['referral']>): string[] {
  return [
    `The referrer would be answered: ${outcome.replace('-', ' ')}.${words ? ` ${words}` : ''}`,
    ...(asks.length ? ['The referrer would be asked:', ...asks.map((ask) => `  - ${ask}`)] : []),
    ...(signpost && !words?.includes(signpost) ? [signpost] : []),
  ]
}

function directoryLines({ partners: { from, named } }: CaseReport): string[] {
  if (from === 'DIRECTORY') return ['Partners are those of the file that DIRECTORY names.']
  return [
    'DIRECTORY is not set, so each performer the plan names is taken for a partner of the kind its activity implies:',
    ...named.map(({ id, kind }) => `  ${id}: ${kind}`),
  ]
}

function personLines({ missing, strangers, partners }: Person): string[] {
  return [
    ...(missing.length ? ['Nobody is asked for anything until this is there:', ...missing.map((words) => `  - ${words}`), ''] : []),
    ...strangers.map((words) => `${words}\n`),
    ...partners.flatMap(partnerLines),
  ]
}

function partnerLines({ id, name, asked, decision, told, withheld }: Prospect): string[] {
  const when = typeof asked === 'string' ? asked : `from ${asked.from}`
  const from = (places: readonly string[]) => (places.length ? ` (${places.join('; ')})` : '')
  return [
    `${name} [${id}]`,
    `  asked: ${when}`,
    `  ${decision}`,
    ...told.map((one) => `  told      ${one.what}${from(one.from)}`),
    ...withheld.map((one) => `  withheld  ${one.what}${from(one.from)}: ${one.because}`),
    '',
  ]
}
