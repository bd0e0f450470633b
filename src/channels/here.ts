/**
 * Channel `here`: the partner is another RECONNECT service of this same gateway. Nothing travels: the exchange takes the message in for
 * that service as it would from outside (`src/exchange/hand-over.ts`), so it learns what is in the message and nothing else.
 */
import { z } from 'zod'
import { defineChannel } from '../channel.ts'

const settings = z.strictObject({
  name: z.literal('here'),
  /** Id of the service in this directory. */
  service: z.string().min(1),
})

export default defineChannel<z.infer<typeof settings>>({
  name: 'here',
  settings,
  send: async () => ({ outcome: 'rejected', issues: ['this message can only be taken in by the exchange itself'] }),
})
