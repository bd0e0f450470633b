/** How drizzle-kit writes `migrations/` from the tables (`npm run migrations`). */
import { defineConfig } from 'drizzle-kit'

export default defineConfig({ dialect: 'sqlite', schema: './src/store/schema.ts', out: './migrations' })
