/**
 * Is this an NHS number somebody could have?
 */

/**
 * Ten digits whose last is the modulus-11 check digit of the first nine; blanks and hyphens are not taken out.
 *
 * @see https://www.datadictionary.nhs.uk/attributes/nhs_number.html
 */
export function nhsNumberValid(value: string): boolean {
  if (!/^[0-9]{10}$/.test(value)) return false
  const digits = [...value].map(Number)
  const sum = digits.slice(0, 9).reduce((total, digit, index) => total + digit * (10 - index), 0)
  return (11 - (sum % 11)) % 11 === digits[9]
}
