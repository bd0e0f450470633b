/**
 * Two projects: everything on Node; and in workerd the store's contract once more, on D1, and the journey through the Worker.
 */
import { fileURLToPath } from 'node:url'
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { hmppsDouble } from './test/fixtures/hmpps-api.ts'
import { releasedVersions, statementsOf } from './test/fixtures/released.ts'

const onWorkers = ['test/contracts/d1.test.ts', 'test/journeys/worker.test.ts']

const hmpps = hmppsDouble([
  {
    noms: 'B4681CD',
    dates: { conditionalRelease: { date: '2026-05-15', overrideDate: '2026-05-05' } },
    location: { inPrison: true, prisonId: 'DMI', lastMovementType: 'Admission', receptionDate: '2025-11-03' },
  },
])
const askDouble = async (request: { url: string; headers: Iterable<[string, string]> }) => {
  const headers = new Headers([...request.headers])
  return headers.get('x-api-key') === 'a-key' ? hmpps.double.fetch(request.url, { headers }) : new Response(null, { status: 403 })
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'node',
          include: ['test/**/*.test.ts', 'adapters/**/*.test.ts', 'src/**/*.test.ts'],
          exclude: [...onWorkers, 'node_modules/**'],
          testTimeout: 20_000,
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                RELEASED: Object.fromEntries(releasedVersions.map((version) => [version, statementsOf(version)])),
                MIGRATIONS: await readD1Migrations(fileURLToPath(new URL('./migrations', import.meta.url))),
                HOST: '127.0.0.1',
                PUBLIC_URL: 'http://127.0.0.1:8080',
                MASTER_KEY: Buffer.alloc(32, 9).toString('base64'),
                CLOCK: 'manual:2026-04-02T08:00:00Z',
                LOG_LEVEL: 'error',
                HMPPS_API_URL: 'https://hmpps.test',
                HMPPS_API_KEY: 'a-key',
                HMPPS_API_EVERY_DAYS: '90',
                HMPPS_API_DAILY_FROM_DAYS: '0',
              },
              // Stands where a deployed Worker has its mtls_certificate.
              serviceBindings: { HMPPS_API_CERTIFICATE: askDouble },
            },
          })),
        ],
        test: { name: 'workers', include: onWorkers, testTimeout: 30_000 },
      },
    ],
  },
})
