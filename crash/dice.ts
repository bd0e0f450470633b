/**
 * Chance that can be thrown again: the same seed gives the same schedule (what the machine makes of it is its own).
 */
export type Dice = {
  /** 0 up to 1. */
  chance(): number
  /** A whole number, both ends included. */
  between(from: number, to: number): number
  oneOf<T>(list: readonly T[]): T
  /** Dice of their own for a part, so that what one part throws moves nobody else's. */
  part(name: string): Dice
}

/** mulberry32, seeded by a text. */
export function dice(seed: string): Dice {
  let state = [...seed].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 16_777_619), 2_166_136_261)
  const chance = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    chance,
    between: (from, to) => from + Math.floor(chance() * (to - from + 1)),
    oneOf: (list) => list[Math.floor(chance() * list.length)] as never,
    part: (name) => dice(`${seed}/${name}`),
  }
}
