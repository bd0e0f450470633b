/**
 * A page for a person: headings, paragraphs, lists and tables as data, so that one text becomes HTML, PDF and large print.
 */
export type Block =
  | { kind: 'heading'; level: 2 | 3; text: string }
  | { kind: 'paragraph'; text: string }
  | { kind: 'list'; items: readonly string[] }
  /** Each row has as many cells as `head`. */
  | { kind: 'table'; caption: string; head: readonly string[]; rows: readonly (readonly string[])[] }
  /** Something to look at before this is given to anybody. */
  | { kind: 'mark'; text: string }

export type Document = {
  title: string
  /** Below the title: whom it is for, who made it and when. */
  about: readonly string[]
  blocks: readonly Block[]
}

export const heading = (text: string, level: 2 | 3 = 2): Block => ({ kind: 'heading', level, text })
export const paragraph = (text: string): Block => ({ kind: 'paragraph', text })
export const list = (...items: readonly string[]): Block[] => (items.length ? [{ kind: 'list', items }] : [])

const day = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/London', day: 'numeric', month: 'long', year: 'numeric' })
/** '2 March 2026' for an instant or a calendar date. */
export const dayOf = (at: string): string => day.format(new Date(at.length === 10 ? `${at}T12:00:00Z` : at))

/** 'a, b and c'. */
export const andList = (items: readonly string[]): string =>
  items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`

export const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`
