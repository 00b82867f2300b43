import { defineConfig } from 'vitest/config'

// A test of internal/e2e runs it, which starts the collector and the applications.
export default defineConfig({
  test: { include: ['story/*.test.ts'], root: '.', testTimeout: 60_000, hookTimeout: 60_000 },
})
