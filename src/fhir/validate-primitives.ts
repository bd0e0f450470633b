/**
 * How a FHIR R4 primitive is written in JSON.
 *
 * The patterns are those of https://hl7.org/fhir/R4/datatypes.html. Beyond them: a date exists, text is well-formed Unicode
 * without control characters, base64 has its padding, a reference looks like one.
 */

export type Primitive = {
  json: 'string' | 'number' | 'boolean'
  holds: (value: never) => boolean
  /** Ends the sentence '... must be'. */
  says: string
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/
const longest = 1024 * 1024
const words = (value: string) => value.length <= longest && value.trim() !== '' && !control.test(value) && value.isWellFormed()
const pattern = (regex: RegExp) => (value: string) => regex.test(value)

const year = '([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)'
const month = '(0[1-9]|1[0-2])'
const day = '(0[1-9]|[12][0-9]|3[01])'
const clock = '([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\\.[0-9]+)?'
const zone = '(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))'
const id = '[A-Za-z0-9\\-.]{1,64}'

/** Matches `regex`, and its day is in the calendar. */
const calendar = (regex: string) => {
  const written = new RegExp(`^${regex}$`)
  return (value: string) => {
    if (!written.test(value)) return false
    const dayOfMonth = Number(value.slice(8, 10))
    return dayOfMonth < 29 || dayOfMonth <= new Date(Date.UTC(Number(value.slice(0, 4)), Number(value.slice(5, 7)), 0)).getUTCDate()
  }
}

function base64(value: string): boolean {
  const packed = /\s/.test(value) ? value.replace(/\s+/g, '') : value
  return packed.length > 0 && packed.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(packed)
}

const text = (holds: (value: string) => boolean, says: string): Primitive => ({ json: 'string', holds, says })
const whole = (least: number, says: string): Primitive => ({
  json: 'number',
  holds: (value: number) => Number.isInteger(value) && value >= least && value <= 2_147_483_647,
  says,
})
const uri = text((value) => /^\S+$/.test(value) && words(value), 'a URI, with no blanks in it')

export const primitives: Readonly<Record<string, Primitive>> = {
  base64Binary: text(base64, 'base64'),
  boolean: { json: 'boolean', holds: () => true, says: 'true or false' },
  canonical: uri,
  code: text((value) => /^\S+( \S+)*$/.test(value) && words(value), 'a code, with no blanks at its ends and no double blanks'),
  date: text(calendar(`${year}(-${month}(-${day})?)?`), 'a date that exists, written YYYY, YYYY-MM or YYYY-MM-DD'),
  dateTime: text(
    calendar(`${year}(-${month}(-${day}(T${clock}${zone})?)?)?`),
    'a date that exists, written YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a time zone',
  ),
  decimal: { json: 'number', holds: (value: number) => Number.isFinite(value), says: 'a number' },
  id: text(pattern(new RegExp(`^${id}$`)), '1 to 64 letters, digits, hyphens and full stops'),
  instant: text(calendar(`${year}-${month}-${day}T${clock}${zone}`), 'a moment that exists, written YYYY-MM-DDThh:mm:ss with a time zone'),
  integer: whole(-2_147_483_648, 'a whole number of 32 bits'),
  markdown: text(words, 'text that is not blank and has no control characters'),
  oid: text(pattern(/^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$/), 'an OID as urn:oid:...'),
  positiveInt: whole(1, 'a whole number from 1 up'),
  string: text(words, 'text that is not blank and has no control characters'),
  time: text(pattern(new RegExp(`^${clock}$`)), 'a time of day, written hh:mm:ss'),
  unsignedInt: whole(0, 'a whole number from 0 up'),
  uri,
  url: uri,
  uuid: text(pattern(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/), 'a UUID as urn:uuid:... in small letters'),
  xhtml: text(words, 'XHTML that is not blank'),
}

/** `Reference.reference`: absolute, relative (with or without version), conditional, or to something contained. */
export const reference = text(
  pattern(new RegExp(`^(#\\S*|[A-Za-z][A-Za-z0-9+.\\-]*:\\S+|[A-Z][A-Za-z]+(/${id}(/_history/${id})?(#\\S+)?|\\?\\S+))$`)),
  'a reference: Type/id, an absolute URL, urn:uuid:... or #id',
)
