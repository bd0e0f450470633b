/** What the Workers test project hands to its tests (`vitest.config.ts`). */
declare module 'cloudflare:test' {
  type Migration = { name: string; queries: string[] }
  export const env: {
    DB: import('../../src/store/d1.ts').D1Binding
    MIGRATIONS: Migration[]
    RELEASED: import('../fixtures/released.ts').Released
  }
  export function applyD1Migrations(database: import('../../src/store/d1.ts').D1Binding, migrations: Migration[]): Promise<void>
  /** Empties every binding. */
  export function reset(): Promise<void>
}
