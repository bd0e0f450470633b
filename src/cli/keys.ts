/**
 * `keys rotate`: every person's key wrapped by the present master key, beside a running gateway.
 */
import { KeyUnknown } from '../store/keyring.ts'
import { rotateKeys } from '../store/keys.ts'
import { masterKeysOf, withDriver } from './store.ts'
import { Fault, type Verb } from './terminal.ts'

export const rotate: Verb = {
  name: 'keys rotate',
  usage: 'keys rotate',
  does: 'wraps every key with the first master key of MASTER_KEY; the former ones stand behind it, with commas between',
  takes: [0, 0],
  run: (_given, terminal) =>
    withDriver(terminal, async (driver) => {
      const masterKeys = masterKeysOf(terminal)
      const { rotated, kept } = await rotateKeys(driver, masterKeys).catch((error: unknown) => {
        throw error instanceof KeyUnknown ? new Fault('Some keys were wrapped by a master key that is not in MASTER_KEY.') : error
      })
      const done = rotated === 0 ? 'Every key is under the present master key.' : `${rotated} keys are now under the present master key.`
      return { json: { rotated, kept }, text: `${done} A former master key is no longer needed, except for older backups.\n` }
    }),
}
